import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bench.load import MARK, Load, OpenLoad, Plan, answer_length, carried_over
from infra.runtime.http_server import http_server


class Seen:
    """A server that remembers what it was asked."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status = 200
        self.stands_still = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait, self.stands_still = self.stands_still, 0.0
        await asyncio.sleep(wait)
        self.bodies.append(await Request(scope, receive).body())
        await Response("x" * 70_000, self.status)(scope, receive, send)


@pytest.fixture
async def seen() -> Seen:
    return Seen()


@pytest.fixture
async def port(seen: Seen) -> AsyncIterator[int]:
    async with http_server(seen, "127.0.0.1", 0) as url:
        yield urlsplit(url).port or 0


def a_plan(port: int) -> Plan:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n<%s>" % MARK
    return Plan("127.0.0.1", (port,), 4, (request,), 7, 0.1, 0.3)


async def test_each_request_is_another_and_each_answer_is_counted(seen: Seen, port: int) -> None:
    load = Load(a_plan(port))
    await load.connect()
    tally, _ = await load.phase(10, 21)
    assert sorted(seen.bodies) == [b"<%010d>" % n for n in range(7, 28)]
    assert tally.statuses == {200: 21}
    assert (len(tally.latencies), tally.within, tally.lost) == (21, 21, 0)


async def test_a_phase_ends_in_its_time_and_the_next_goes_on(seen: Seen, port: int) -> None:
    load = Load(a_plan(port))
    await load.connect()
    first, took = await load.phase(0.2)
    assert 0.2 <= took < 5
    assert first.within <= len(first.latencies) == len(seen.bodies)
    seen.status = 503
    second, _ = await load.phase(10, 4)
    assert second.statuses == {503: 4}


@pytest.mark.parametrize(
    ("buffer", "length"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-le", None),
        (b"HTTP/1.1 204 No Content\r\nserver: x\r\n\r\n", 38),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\nhello", 49),
    ],
)
def test_an_answers_length_is_known_from_its_head(buffer: bytes, length: int | None) -> None:
    assert answer_length(buffer) == length


REQUEST = b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\n{"refresh_token":"one..."}'


def test_a_client_goes_on_with_the_token_it_was_answered() -> None:
    answer = b'HTTP/1.1 200 OK\r\n\r\n{"refresh_token":"two...","expires_in":600}'
    assert carried_over(REQUEST, answer) == REQUEST.replace(b"one...", b"two...")
    assert carried_over(REQUEST, b"HTTP/1.1 503 Away\r\n\r\n{}") == REQUEST


async def test_each_client_carries_a_token_of_its_own(port: int, seen: Seen) -> None:
    requests = tuple(REQUEST.replace(b"one...", b"tok%03d" % n) for n in range(4))
    load = Load(replace(a_plan(port), requests=requests, carries=True))
    await load.connect()
    await load.phase(10, 12)
    assert set(seen.bodies) == {b'{"refresh_token":"tok%03d"}' % n for n in range(4)}


async def test_open_loop_asks_at_its_rate_whatever_the_answers_take(seen: Seen, port: int) -> None:
    load = OpenLoad(a_plan(port), 100)
    await load.connect()
    tally, took = await load.phase(0.5)
    assert tally.statuses == {200: 50}
    assert 0.4 <= took < 10


async def test_open_loop_counts_the_wait_for_a_free_connection(seen: Seen, port: int) -> None:
    """One connection and a service that stands still at first: all who were due then waited."""
    seen.stands_still = 0.5
    load = OpenLoad(replace(a_plan(port), clients=1), 100)
    await load.connect()
    tally, _ = await load.phase(0.3)
    assert len(tally.latencies) == 30
    assert min(tally.latencies) > 0.2 - 0.05
    assert sorted(tally.latencies)[15] > 0.3
