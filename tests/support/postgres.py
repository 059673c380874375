"""A real PostgreSQL for tests: one server a run, one fresh copy of the migrated schema a test."""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from pydantic import SecretStr

from devstack.supervisor.postgres import BINARIES, identity
from infra.postgres.migrate import FOLDER, migrate
from infra.postgres.pool import Pool, open_pool
from infra.runtime.settings import PostgresSettings

OUTSIDE = "QNT9_TEST_POSTGRES"
"""The dsn of a superuser on a server to use instead."""
MIGRATIONS_VARIABLE = "QNT9_TEST_MIGRATIONS"
"""The folder of an older or newer version's migrations to apply instead (docs/migrations.md)."""

OWNER = "qnt9_owner"
ROLES = (
    OWNER,
    "qnt9_gateway",
    "qnt9_signup",
    "qnt9_accounts",
    "qnt9_verification",
    "qnt9_watchlist",
    "qnt9_quotes",
    "qnt9_audit",
    "qnt9_relay",
)
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Server:
    """A server with the roles of the product, all with one password."""

    superuser_dsn: str
    password: str = field(default_factory=secrets.token_hex, repr=False)

    def dsn(self, role: str, database: str) -> str:
        parts = urlsplit(self.superuser_dsn)
        netloc = f"{role}:{self.password}@{parts.hostname}:{parts.port or 5432}"
        return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))

    async def execute(self, statement: str) -> None:
        """As the superuser."""
        connection = await asyncpg.connect(self.superuser_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def make_roles(self) -> None:
        for role in ROLES:
            await self.execute(
                f"""
                DO $$ BEGIN
                    IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role}; END IF;
                END $$;
                ALTER ROLE {role} LOGIN PASSWORD '{self.password}'
                """
            )

    @asynccontextmanager
    async def database(self, *, template: str = "template1") -> AsyncIterator[str]:
        """The name of a new database, dropped in the end."""
        name = f"qnt9_test_{secrets.token_hex(6)}"
        await self.execute(
            f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template} STRATEGY file_copy"
        )
        try:
            yield name
        finally:
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Database:
    """One test's database: a pool for each role, as that role's process would have it."""

    def __init__(self, server: Server, name: str, resources: AsyncExitStack) -> None:
        self._server = server
        self._name = name
        self._resources = resources
        self._pools: dict[str, Pool] = {}

    def dsn(self, role: str = OWNER) -> str:
        return self._server.dsn(role, self._name)

    def superuser_dsn(self) -> str:
        parts = urlsplit(self._server.superuser_dsn)
        return urlunsplit(parts._replace(path=f"/{self._name}"))

    async def pool(self, role: str = OWNER) -> Pool:
        """Closed when the test ends."""
        if role not in self._pools:
            settings = PostgresSettings(postgres_dsn=SecretStr(self.dsn(role)))
            opened = open_pool(settings, instance=f"test-{role}")
            self._pools[role] = await self._resources.enter_async_context(opened)
        return self._pools[role]

    async def fetch(self, query: str, *args: Any) -> list[dict[str, Any]]:
        """As the owner, who sees everything."""
        pool = await self.pool()
        return [dict(row) for row in await pool.fetch(query, *args)]

    async def execute(self, statement: str, *args: Any) -> None:
        """As the owner."""
        pool = await self.pool()
        await pool.execute(statement, *args)

    async def end_connections(self, role: str) -> None:
        """What a restart of the server does to one role's connections."""
        await self._server.execute(
            f"""
            SELECT pg_terminate_backend(pid)
              FROM pg_stat_activity
             WHERE datname = '{self._name}' AND usename = '{role}'
            """
        )


@asynccontextmanager
async def migrated_template(server: Server) -> AsyncIterator[str]:
    """A database with every migration applied, to be copied."""
    await server.make_roles()
    async with server.database() as name:
        folder = Path(os.environ.get(MIGRATIONS_VARIABLE, FOLDER))
        await migrate(server.dsn(OWNER, name), folder)
        yield name


@asynccontextmanager
async def copy_of(server: Server, template: str) -> AsyncIterator[Database]:
    """A database of one's own."""
    async with server.database(template=template) as name, AsyncExitStack() as resources:
        yield Database(server, name, resources)


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """The outside server, where one is named; otherwise one of our own in the folder."""
    if outside := os.environ.get(OUTSIDE):
        yield Server(outside)
        return
    with local_server(folder) as server:
        yield server


@contextmanager
def local_server(folder: Path) -> Iterator[Server]:
    """One of our own in the folder, whose files are on this machine."""
    port, server = new_server(folder)
    with started_server(folder, port):
        yield server


def new_server(folder: Path) -> tuple[int, Server]:
    """Make a server that is not started yet. Returns its port, and what it will be."""
    runs_as = identity()
    folder.mkdir(mode=0o700)
    if runs_as.owner is not None:
        os.chown(folder, runs_as.owner, -1)
    password, port = secrets.token_hex(), _free_port()
    _initialise(runs_as.prefix, folder, password)
    return port, Server(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres")


@contextmanager
def started_server(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Start what is in the folder. SIGQUIT ends it as a crash does, and it can be started again."""
    settings = [f"-c{name}={value}" for name, value in (SETTINGS | {"port": str(port)}).items()]
    with (
        (folder.parent / "postgres.log").open("ab") as log,
        subprocess.Popen(
            (*identity().prefix, str(BINARIES / "postgres"), "-D", str(folder), *settings),
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            _wait_until_ready(port, process)
            yield process
        finally:
            process.send_signal(signal.SIGINT)


def _initialise(prefix: tuple[str, ...], folder: Path, password: str) -> None:
    subprocess.run(
        (
            *prefix,
            str(BINARIES / "initdb"),
            f"--pgdata={folder}",
            "--username=postgres",
            "--pwfile=/dev/stdin",
            "--auth-host=scram-sha-256",
            "--auth-local=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ),
        input=password.encode(),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    ready = (str(BINARIES / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port))
    while subprocess.run(ready, check=False).returncode:
        assert process.poll() is None, "the test server did not start, see postgres.log"
        assert time.monotonic() < deadline, "the test server is not ready, see postgres.log"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
