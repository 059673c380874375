"""One user's worst texts and numbers: refused or done, no dead letter, and felt by nobody else."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from contracts.topics import TOPICS
from tests.support.e2e.broker_view import until_quiescent
from tests.support.e2e.worst_texts import Request, worst_requests
from tests.support.evidence import Evidence
from tests.support.sizes import size
from tests.support.stack import Stack, User

OWN, OF_DOCUMENT = size((81, 19), (300, 200))
AT_ONCE = 8
CALM, MEANWHILE = size((20, 3), (300, 50))
"""So many requests of the other user before, and at least so many meanwhile."""
PAUSE_SECONDS = 0.02
FOLLOWED = ("AAPL", "MSFT", "SAP.DE", "VOD.L")
"""By the other user, a client for each."""
TIMES, MIN_SECONDS = 10, size(5.0, 1.0)
"""The 99th percentile of the other user may be so many times what it was, or this at any rate."""
PASSWORD = "Amber-glacier-58-saddle"
"""Not that of the document's examples, with which the account could be changed or erased."""
DEAD_LETTERS = tuple(
    topic.dead_letters(consumer) for topic in TOPICS for consumer in topic.consumers
)


async def send(http: httpx.AsyncClient, user: User, one: Request) -> tuple[int, str]:
    """Status and text; of a stream that begins only the status."""
    headers = [(b"Authorization", f"Bearer {user.access_token}".encode())]
    chosen = [(name.encode(), value) for name, value in one.headers]
    if any(name.lower() == b"authorization" for name, _ in chosen):
        headers = []
    request = http.build_request(
        one.method, one.target, content=one.content, headers=headers + chosen
    )
    answer = await http.send(request, stream=True)
    try:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer.status_code, ""
        await answer.aread()
        return answer.status_code, answer.text
    finally:
        await answer.aclose()


async def send_all(stack: Stack, user: User, requests: list[Request]) -> Counter[int]:
    """How often each status was the answer. Fails with the request that caused a 5xx."""
    statuses: Counter[int] = Counter()
    waiting = iter(requests)

    async def client(http: httpx.AsyncClient) -> None:
        for one in waiting:
            status, text = await send(http, user, one)
            statuses[status] += 1
            assert status < 500, (ascii(one)[:2_000], text)

    async with stack.http() as http, asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(client(http))
    return statuses


async def latencies(stack: Stack, user: User, over: Callable[[int], bool]) -> list[float]:
    """Seconds of each PUT of a user's clients, until it is over after so many."""
    seconds: list[float] = []

    async def client(http: httpx.AsyncClient, symbol: str) -> None:
        while not over(len(seconds)):
            began = time.perf_counter()
            answer = await http.put(f"/api/v1/watchlist/{symbol}", json={"note": f"{began}"})
            seconds.append(time.perf_counter() - began)
            assert answer.status_code in {200, 201}, answer.text
            await asyncio.sleep(PAUSE_SECONDS)  # the pace of a person's clicks; waits for nothing

    async with stack.http(headers=user.headers) as http, asyncio.TaskGroup() as tasks:
        for symbol in FOLLOWED:
            tasks.create_task(client(http, symbol))
    return seconds


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[math.ceil(len(seconds) * 0.99) - 1]


async def unready(stack: Stack, over: Callable[[], bool]) -> set[str]:
    """Processes that were not ready at some time, or another process than before."""
    found: set[str] = set()
    pids: dict[str, int] = {}
    while True:
        last = over()
        for each in (await asyncio.to_thread(stack.status))["processes"]:
            name, pid = each["name"], each["pid"]
            if each["state"] != "ready" or pids.setdefault(name, pid) != pid:
                found.add(f"{name} ({each['state']})")
        if last:
            return found
        await asyncio.sleep(size(5.0, 1.0))


async def dead_letters(stack: Stack) -> int:
    """The records of every dead letter topic, once everything is handled."""
    await until_quiescent(stack)
    return len(await stack.records(*DEAD_LETTERS))


@pytest.mark.prove
@pytest.mark.timeout(size(300, 900))
async def test_worst_texts(stack: Stack, evidence: Evidence) -> None:
    """No dead letter, no 5xx, every process ready, the latency of somebody else as it was."""
    user, other = await stack.admin(PASSWORD), await stack.verified_user()
    requests = await asyncio.to_thread(worst_requests, OWN, OF_DOCUMENT)
    assert len(requests) == OWN + OF_DOCUMENT
    already = await dead_letters(stack)
    before = await latencies(stack, other, lambda count: count >= CALM)
    sending = asyncio.create_task(send_all(stack, user, requests))
    watching = asyncio.create_task(unready(stack, sending.done))
    meanwhile = await latencies(stack, other, lambda _: sending.done())
    statuses, not_ready = await sending, await watching
    assert statuses.total() == len(requests)
    assert len(meanwhile) >= MEANWHILE
    assert not statuses[429], "what a limit refuses proves nothing"
    assert await dead_letters(stack) == already
    assert not not_ready
    calm, felt = p99(before), p99(meanwhile)
    counts = [f"{count} of {status}" for status, count in sorted(statuses.items())]
    assert felt <= max(TIMES * calm, MIN_SECONDS), (calm, felt)
    evidence.record(
        "Worst texts",
        "Texts and numbers that hypothesis and schemathesis find, sent by one user over every "
        "route that takes a text, while another user changes a watchlist.",
        {
            "requests": f"{OWN} of hypothesis, {OF_DOCUMENT} of schemathesis, {AT_ONCE} at once",
            "answers": ", ".join(counts),
            "answers 5xx": 0,
            "new dead letters": f"0 in {len(DEAD_LETTERS)} topics ({already} records before)",
            "processes that were not ready or ended": len(not_ready),
            "PUT of the other user before": f"{len(before)}, p99 {calm * 1000:.0f} ms",
            "PUT of the other user meanwhile": f"{len(meanwhile)}, p99 {felt * 1000:.0f} ms",
        },
    )
