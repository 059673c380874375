"""PostgreSQL with `hostssl` alone, and whatever of ours connects to it."""

import asyncio
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from infra.postgres import roles
from infra.postgres.migrate import migrate
from infra.postgres.pool import UNAVAILABLE, open_pool, open_session
from infra.postgres.roles import ensure_database
from infra.runtime.settings import PostgresSettings
from tests.support.infra.tls.authority import Authority, Certificate
from tests.support.infra.tls.terminator import tls_before_postgres
from tests.support.postgres import Database, Server
from tests.support.stack import ROOT

SECONDS = 10


@pytest.fixture(scope="module")
async def port(postgres_server: Server, certificate: Certificate) -> AsyncIterator[int]:
    behind = urlsplit(postgres_server.superuser_dsn).port
    assert behind
    async with tls_before_postgres(behind, certificate.server_context()) as listening:
        yield listening


@pytest.fixture(scope="module")
async def port_of_another_host(
    postgres_server: Server, of_another_host: Certificate
) -> AsyncIterator[int]:
    behind = urlsplit(postgres_server.superuser_dsn).port
    assert behind
    async with tls_before_postgres(behind, of_another_host.server_context()) as listening:
        yield listening


def over_tls(dsn: str, port: int, authority: Path, *, host: str = "127.0.0.1") -> str:
    """The dsn as docs/deployment.md has it for a managed server."""
    parts = urlsplit(dsn)
    netloc = f"{parts.username}:{parts.password}@{host}:{port}"
    query = f"sslmode=verify-full&sslrootcert={authority}"
    return urlunsplit(parts._replace(netloc=netloc, query=query))


def settings(dsn: str) -> PostgresSettings:
    return PostgresSettings.model_validate({"postgres_dsn": dsn})


async def ask(dsn: str) -> bool:
    """Whether the session is over TLS, from a pool as every process has it."""
    async with (
        asyncio.timeout(SECONDS),
        open_pool(settings(dsn), instance="test") as pool,
        pool.acquire() as conn,
    ):
        assert await conn.fetchval("SELECT 1") == 1
        session: Any = conn
        return bool(session._con._transport.get_extra_info("ssl_object"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_with_the_authority_a_pool_and_a_session_work(
    host: str, database: Database, port: int, authority: Authority
) -> None:
    dsn = over_tls(database.dsn("qnt9_relay"), port, authority.file, host=host)
    assert await ask(dsn)
    async with open_session(settings(dsn), instance="test") as conn:
        assert await conn.fetchval("SELECT current_user") == "qnt9_relay"


async def test_roles_and_migrations_are_made_over_tls(
    postgres_server: Server, port: int, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"qnt9_test_{secrets.token_hex(6)}"
    monkeypatch.setattr(roles, "DATABASE", name)
    await ensure_database(
        over_tls(postgres_server.superuser_dsn, port, authority.file),
        {"qnt9_owner": postgres_server.password},
    )
    try:
        owner = over_tls(postgres_server.dsn("qnt9_owner", name), port, authority.file)
        assert await migrate(owner)
        assert await migrate(owner) == []
    finally:
        await postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_commands_of_an_operator_connect_over_tls(
    database: Database, port: int, authority: Authority, stranger: Authority
) -> None:
    said = await qnt9(over_tls(database.dsn(), port, authority.file), "audit", "list", "--json")
    assert (said.returncode, said.stdout.strip()) == (0, "[]")
    said = await qnt9(over_tls(database.dsn(), port, stranger.file), "migrate")
    assert said.returncode == 1
    assert "TLS: unable to get local issuer certificate" in said.stderr
    assert "Traceback" not in said.stderr


async def qnt9(dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "operations.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "QNT9_POSTGRES_DSN": dsn},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_another_authority_is_refused_and_counts_as_an_outage(
    database: Database, port: int, stranger: Authority
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer") as refused:
        await ask(over_tls(database.dsn("qnt9_relay"), port, stranger.file))
    assert isinstance(refused.value, UNAVAILABLE)


async def test_a_certificate_of_another_host_is_refused_and_counts_as_an_outage(
    database: Database, port_of_another_host: int, authority: Authority
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch") as refused:
        await ask(over_tls(database.dsn("qnt9_relay"), port_of_another_host, authority.file))
    assert isinstance(refused.value, UNAVAILABLE)


async def test_without_tls_the_server_takes_no_one(database: Database, port: int) -> None:
    parts = urlsplit(database.dsn("qnt9_relay"))
    netloc = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
    dsn = urlunsplit(parts._replace(netloc=netloc, query="sslmode=disable"))
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no encryption"):
        await ask(dsn)


async def test_a_server_without_tls_gets_no_password(
    database: Database, authority: Authority
) -> None:
    port = urlsplit(database.dsn()).port
    assert port
    with pytest.raises(ConnectionError, match="SSL") as refused:
        await ask(over_tls(database.dsn("qnt9_relay"), port, authority.file))
    assert isinstance(refused.value, UNAVAILABLE)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("sslmode=verify-ful", "its sslmode must be one of"),
        ("sslmode=verify-full&sslrootcert=/nowhere.pem", "its sslrootcert cannot be read"),
        (f"sslmode=verify-full&sslrootcert={__file__}", "its sslrootcert must hold certificates"),
    ],
)
def test_a_dsn_that_could_never_connect_is_a_fault_of_settings(query: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as refused:
        settings(f"postgresql://user:canary-password@db.example.com/qnt9?{query}")
    assert "canary" not in str(refused.value)
