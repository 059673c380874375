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
from tests.support.otlp import Receiver, running_receiver
from tests.support.postgres import Database, Server, copy_of, migrated_template, running_server
from tests.support.process_guard import Guard
from tests.support.run_report import STARTED, lines, seconds_by_file
from tests.support.schedule import FIRST_SYSTEM, SLOW, lane_of, order_of, scope_of
from tests.support.stack import EXTERNAL, PORT_BASE, ExternalStack, Stack, running_stack
from tests.support.valkey import running_valkey
from tests.support.web.chromium import LEFT_OUT

GUARD = pytest.StashKey[Guard]()
MIN_FILES_TO_REPORT = 10
"""A run of fewer files is no run of the suite."""


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
def receiver() -> Iterator[Receiver]:
    """Where the system's spans go: those of requests that say they are sampled."""
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Stack]:
    """The whole system, started when the first test asks for it, or the one that stands already."""
    if external := os.environ.get(EXTERNAL):
        yield ExternalStack(Path(external))
        return
    data = tmp_path_factory.mktemp("stack")
    tracing = {"QNT9_OTLP_ENDPOINT": receiver.url, "QNT9_TRACE_SAMPLE_RATIO": "0"}
    with running_stack(data, port_base=PORT_BASE, environment=tracing) as running:
        yield running


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Where a proof at full size writes what it has shown."""
    return Evidence(f"make prove NAME={request.node.name.removeprefix('test_')}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, and begin with the longest sequences of tests."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "postgres_server" in fixtures:
            item.add_marker(pytest.mark.postgres)
        if "stack" in fixtures or item.nodeid.startswith(FIRST_SYSTEM):
            item.add_marker(pytest.mark.stack)
        if item.nodeid.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: order_of(item.nodeid))


class BesideTheSystem(LoadScopeScheduling):
    """Tests of the whole system run in two sequences; the others run beside them, file by file."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # the order of collection is the right one
    return BesideTheSystem(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["systems"] = len(STARTED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Count what a worker of this run has started."""
    STARTED.extend([node.gateway.id] * getattr(node, "workeroutput", {}).get("systems", 0))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if left_out := sum(LEFT_OUT in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(f"{left_out} tests of the front end were left out: {LEFT_OUT}")
    reports = [
        (report.nodeid, report.duration)
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "duration") and hasattr(report, "nodeid")
    ]
    by_file = seconds_by_file(reports)
    if len(by_file) < MIN_FILES_TO_REPORT:
        return
    by_lane = seconds_by_file((lane_of(nodeid), seconds) for nodeid, seconds in reports)
    for line in lines(len(STARTED), by_file, by_lane):
        terminalreporter.write_line(line)
