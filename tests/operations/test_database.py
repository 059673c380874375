"""What a command says of its database: which it is, what is wrong, within a bounded time."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from infra.runtime.settings import PostgresSettings
from operations.database import DatabaseError, open_connection, open_database
from tests.support.postgres import OUTSIDE, Database


def settings(dsn: str) -> PostgresSettings:
    return PostgresSettings(postgres_dsn=SecretStr(dsn))


async def ask(dsn: str) -> None:
    async with open_connection(settings(dsn)) as conn:
        await conn.fetchval("SELECT true")


async def ask_pool(dsn: str, statement: str) -> None:
    async with open_database(settings(dsn)) as pool:
        await pool.fetchval(statement)


@pytest.fixture
async def hung(database: Database) -> AsyncIterator[list[int]]:
    """Processes of the server that a test stops; they go on afterwards."""
    stopped: list[int] = []
    yield stopped
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(OUTSIDE in os.environ, reason="its processes are not ours to stop")
async def test_a_server_that_hangs_in_a_statement_is_given_up(
    database: Database, hung: list[int]
) -> None:
    async def work() -> None:
        async with open_connection(settings(database.dsn()), command_seconds=0.5) as conn:
            pid = await conn.fetchval("SELECT pg_backend_pid()")
            hung.append(pid)
            os.kill(pid, signal.SIGSTOP)
            await conn.fetchval("SELECT true")

    async with asyncio.timeout(60):
        with pytest.raises(DatabaseError, match=r"PostgreSQL at 127\.0\.0\.1:\d+: no answer in"):
            await work()


async def test_what_the_server_refuses_is_said_in_its_words_without_the_password(
    database: Database,
) -> None:
    dsn = database.dsn()
    password = dsn.split(":")[2].partition("@")[0]
    for wrong, words in (
        (dsn.replace(password, "canary-password"), "password authentication failed"),
        (f"{dsn}_none", "does not exist"),
    ):
        with pytest.raises(DatabaseError, match=words) as reported:
            await ask(wrong)
        assert "canary-password" not in str(reported.value)
        assert "\n" not in str(reported.value)
    with pytest.raises(DatabaseError, match="connection refused"):
        await ask("postgresql://somebody:canary-password@127.0.0.1:1/qnt9")
    with pytest.raises(DatabaseError, match='relation "no_such_table" does not exist'):
        await ask_pool(dsn, "SELECT FROM no_such_table")
