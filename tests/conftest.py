"""Fixtures for everybody: real servers, started when the first test asks for one."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from xdist.scheduler import LoadScopeScheduling

from infra.redis.client import open_redis
from infra.runtime.settings import RedisSettings
from tests.support.evidence import Evidence
from tests.support.postgres import Database, Server, copy_of, migrated_template, running_server
from tests.support.process_guard import Guard
from tests.support.stack import PORT_BASE, STANDING, Stack, StandingStack, running_stack
from tests.support.valkey import running_valkey

GUARD = pytest.StashKey[Guard]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[GUARD] = Guard()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[GUARD].end()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("postgres") / "data") as server:
        yield server


@pytest.fixture(scope="session")
async def postgres_template(postgres_server: Server) -> AsyncIterator[str]:
    async with migrated_template(postgres_server) as name:
        yield name


@pytest.fixture
async def database(postgres_server: Server, postgres_template: str) -> AsyncIterator[Database]:
    """A fresh database with every migration applied."""
    async with copy_of(postgres_server, postgres_template) as database:
        yield database


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real cache server, started when the first test asks for it."""
    with running_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    """A client of the cache server, which is empty."""
    async with open_redis(RedisSettings(redis_url=SecretStr(valkey_url))) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def redis_away() -> AsyncIterator[Redis]:
    """A client of a cache server that is not there."""
    async with open_redis(RedisSettings(redis_url=SecretStr("redis://127.0.0.1:1/0"))) as client:
        yield client


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system, started when the first test asks for it, or the one that stands already."""
    if standing := os.environ.get(STANDING):
        yield StandingStack(Path(standing))
        return
    with running_stack(tmp_path_factory.mktemp("stack"), port_base=PORT_BASE) as running:
        yield running


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Where a proof at full size writes what it has shown."""
    return Evidence(f"make prove NAME={request.node.name.removeprefix('test_')}")


FIRST_SYSTEM = {"e2e"}
SECOND_SYSTEM = {
    "chaos",
    "containers",
    "test_everything_killed.py",
    "test_floods.py",
    "test_limits.py",
    "test_many_streams.py",
    "test_quote_outage.py",
    "test_repetitions.py",
}
"""Folders and files whose tests run against a system of their own, about half of the time it takes
to run them all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)


class BesideTheSystem(LoadScopeScheduling):
    """Tests of the whole system run in two sequences; the others run beside them, file by file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        parts = set(file.split("/"))
        if SECOND_SYSTEM & parts:
            return "second system"
        return "first system" if FIRST_SYSTEM & parts else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return BesideTheSystem(config, log)
