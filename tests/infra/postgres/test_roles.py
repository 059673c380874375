"""The database and its roles, made by one who may make roles and is no superuser."""

import secrets
from contextlib import AsyncExitStack

import asyncpg
import pytest

from infra.postgres import roles
from infra.postgres.privileges import ROLES
from infra.postgres.roles import FEWEST_CONNECTIONS, OWNER, ensure_database, limit
from tests.support.postgres import Server


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"qnt9_test_{secrets.token_hex(6)}"
    monkeypatch.setattr(roles, "DATABASE", name)
    return name


async def test_an_administrator_of_a_managed_server_is_enough(
    postgres_server: Server, database: str
) -> None:
    """As managed servers have it: roles and databases may be made, and nothing else."""
    suffix = secrets.token_hex(4)
    admin, word = f"admin_{suffix}", secrets.token_hex()
    await postgres_server.execute(
        f"CREATE ROLE {admin} LOGIN CREATEDB CREATEROLE PASSWORD '{word}'"
    )
    server = Server(postgres_server.superuser_dsn, word)
    owner, reader = f"owner_{suffix}", f"reader_{suffix}"
    passwords = {owner: "first-word", reader: "other-word"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roles, "OWNER", owner)
        await ensure_database(server.dsn(admin, "postgres"), passwords)
        passwords[owner] = "second-word"
        await ensure_database(server.dsn(admin, "postgres"), passwords)
    try:
        owning = Server(postgres_server.superuser_dsn, "second-word").dsn(owner, database)
        connection = await asyncpg.connect(owning)
        await connection.execute("CREATE TABLE mine (id int)")
        await connection.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                Server(postgres_server.superuser_dsn, "first-word").dsn(owner, database)
            )
    finally:
        await postgres_server.execute(f"DROP DATABASE {database} WITH (FORCE)")
        await postgres_server.execute(f"DROP ROLE {reader}")
        await postgres_server.execute(f"DROP ROLE {owner}")
        await postgres_server.execute(f"DROP ROLE {admin}")


@pytest.mark.parametrize("most", [20, 100, 200, 1_000])
def test_no_role_may_take_all_connections(most: int) -> None:
    """Whatever one role takes, another one's pool still finds room."""
    assert limit(OWNER, most) == -1
    for role in ROLES:
        assert FEWEST_CONNECTIONS <= limit(f"qnt9_{role}", most) <= most - FEWEST_CONNECTIONS


async def test_role_has_its_share_of_the_connections(
    postgres_server: Server, database: str
) -> None:
    role = f"qnt9_test_{secrets.token_hex(4)}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roles, "OWNER", "postgres")
        patch.setitem(roles.CONNECTION_SHARES, role, 0.05)
        await ensure_database(postgres_server.superuser_dsn, {role: postgres_server.password})
        allowed = limit(role, 200)
    try:
        async with AsyncExitStack() as opened:
            for _ in range(allowed):
                connection = await asyncpg.connect(postgres_server.dsn(role, database))
                opened.push_async_callback(connection.close)
            with pytest.raises(asyncpg.TooManyConnectionsError):
                await asyncpg.connect(postgres_server.dsn(role, database))
    finally:
        await postgres_server.execute(f"DROP DATABASE {database} WITH (FORCE)")
        await postgres_server.execute(f"DROP ROLE {role}")
