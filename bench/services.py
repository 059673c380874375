"""The plain services, each with a database of its own on the system's PostgreSQL server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # exported, but not by name

from bench.plain.equal_relay import TOPIC
from bench.plain.equal_store import CHAINS
from bench.plain.settings import PlainSettings
from bench.product import ROOT, BenchError, Stack
from bench.scenarios import Settles
from bench.systems import HOST, System
from devstack.supervisor.environment import dsn, redis_url
from devstack.supervisor.system import operator
from infra.kafka.operator_client import Operator

FIRST_PORT = 200
"""Counted from the port base, out of the way of the system's own."""
UP_SECONDS = 30
SCHEMA = Path(__file__).parent / "plain" / "schema.sql"


@dataclass(frozen=True)
class Service:
    """One plain service, and how it is run."""

    name: str
    title: str
    module: str
    processes: int
    pool: int
    """Connections of each process; more made no difference or made it slower."""
    publishes: bool = False
    """Has the system's duties, which are those of a PUT, and so uses Kafka too."""


SERVICES = (
    Service("usual", "usual: FastAPI, a transaction, one process", "usual", 1, 10),
    Service(
        "equal",
        "equal duties: leanest, with outbox, audit chain and Kafka",
        "equal",
        1,
        16,
        publishes=True,
    ),
    Service("lean", "leanest: Starlette, one statement, one process", "lean", 1, 10),
    Service("lean-2", "leanest, two processes", "lean", 2, 8),
)


@asynccontextmanager
async def running_services(stack: Stack) -> AsyncIterator[list[System]]:
    """All of them, ready; stopped and forgotten afterwards."""
    async with AsyncExitStack() as opened:
        systems, port = [], stack.ports.base + FIRST_PORT
        for service in SERVICES:
            ports = tuple(range(port, port + service.processes))
            port += service.processes
            systems.append(await opened.enter_async_context(_running(service, stack, ports)))
        yield systems


@asynccontextmanager
async def _running(service: Service, stack: Stack, ports: tuple[int, ...]) -> AsyncIterator[System]:
    database = f"plain_{service.name.replace('-', '_')}"
    connection = await _own_database(stack, database)
    settings = PlainSettings(
        dsn=dsn("postgres", stack.credentials, stack.ports, database=database),
        redis_url=redis_url(stack.credentials, stack.ports),
        public_key_text=stack.credentials.keys["QNT9_TOKEN_PUBLIC_KEY"],
        private_key_text=stack.credentials.keys["QNT9_TOKEN_PRIVATE_KEY"],
        refresh_key_text=stack.credentials.keys["QNT9_REFRESH_KEY"],
        smtp_host=HOST,
        smtp_port=stack.ports.smtp,
        pool=service.pool,
        kafka_bootstrap=f"{HOST}:{stack.ports.kafka}",
        kafka_password=stack.credentials.kafka["operator"],
    )
    if service.publishes:
        await asyncio.to_thread(_make_topic, stack)
    shared = {p["name"]: p["pid"] for p in stack.status["processes"]}
    children: list[asyncio.subprocess.Process] = []
    try:
        for port in ports:
            children.append(await _spawn(service, settings, port))  # noqa: PERF401 - each is owned
        await asyncio.gather(*(_listens(port) for port in ports))
        parts = {f"service-{n}" if n else "service": c.pid for n, c in enumerate(children)}
        used = ("postgres", "valkey", "kafka") if service.publishes else ("postgres", "valkey")
        parts |= {name: shared[name] for name in used}
        yield System(
            service.name,
            service.title,
            ports,
            parts,
            database,
            connection,
            Published(connection) if service.publishes else Mailed(connection),
            frozenset({"put_watchlist"}) if service.publishes else None,
        )
    finally:
        for child in children:
            if child.returncode is None:
                child.terminate()
        await asyncio.gather(*(child.wait() for child in children))
        await connection.close()


async def _own_database(stack: Stack, database: str) -> "asyncpg.Connection[asyncpg.Record]":
    server = await asyncpg.connect(
        dsn("postgres", stack.credentials, stack.ports, database="postgres")
    )
    try:
        await server.execute(f"CREATE DATABASE {database}")
    finally:
        await server.close()
    connection = await asyncpg.connect(
        dsn("postgres", stack.credentials, stack.ports, database=database)
    )
    await connection.execute(SCHEMA.read_text(encoding="utf-8"))
    return connection


async def _spawn(
    service: Service, settings: PlainSettings, port: int
) -> asyncio.subprocess.Process:
    """uvicorn with uvloop and httptools, without an access log: as fast as it gets."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", f"bench.plain.{service.module}:app"),
        *("--host", HOST, "--port", str(port), "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning", "--backlog", "2048"),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)} | settings.to_environment(),
        start_new_session=True,
    )


async def _listens(port: int) -> None:
    try:
        async with asyncio.timeout(UP_SECONDS):
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return
    except TimeoutError as error:
        raise BenchError(f"a plain service does not listen on port {port}") from error


def _make_topic(stack: Stack) -> None:
    admin = Operator(operator(stack.credentials, stack.ports))
    [made] = admin.create_topics([NewTopic(TOPIC, CHAINS, 1)]).values()
    made.result()


class Published:
    """A service with the system's duties has done its work when Kafka has every event."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def done(self, what: Settles) -> bool:
        if what is Settles.NOTHING:
            return True
        done: bool = await self._connection.fetchval(
            "SELECT NOT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"
        )
        return done


class Mailed:
    """A plain service has done its work when it answers, but for the mails behind the answer."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def done(self, what: Settles) -> bool:
        if what is not Settles.EVERYTHING:
            return True
        done: bool = await self._connection.fetchval(
            "SELECT NOT EXISTS (SELECT FROM mailed_tokens WHERE mailed_at IS NULL)"
        )
        return done
