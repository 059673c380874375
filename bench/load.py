"""The load: a closed or open loop over keep-alive connections, in a process of its own.

`python -m bench.load` reads a pickled `Plan` from stdin, warms up and prints `warm`; a line on
stdin begins the measurement; the result is one line of JSON. Raw HTTP/1.1 with requests made
beforehand, so that little of the machine goes into asking.
"""

import asyncio
import json
import os
import pickle
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import cast

import uvloop

MARK = b"##########"
"""Ten characters of a request that become the number of that request, so that no two are equal."""

TICK_SECONDS = 0.001
"""How often an open loop looks for what is due."""
GRACE_SECONDS = 60.0
"""What is still on its way after the end is waited for; later it is an error."""
CARRIED = b'"refresh_token":"'
"""In an answer, what the next request of the same client takes over; its length never changes."""
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Plan:
    """What one measurement asks for. It ends after `requests`, or else after `seconds`."""

    host: str
    ports: tuple[int, ...]
    clients: int
    requests: tuple[bytes, ...]
    first_number: int
    warmup_seconds: float
    seconds: float
    number_of_requests: int | None = None
    warmup_requests: int | None = None
    rate: float | None = None
    """Open loop: so many requests a second, whatever the answers do. Otherwise a closed loop."""
    carries: bool = False
    """Each client has a session of its own, and asks with the token it was answered with."""


@dataclass
class Tally:
    """What came back, in one phase."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    within: int = 0
    """Answered before the time was up."""
    lost: int = 0
    """Connections that ended before their answer."""


class Load:
    """One phase at a time over the same connections."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._numbers = count(plan.first_number)
        self._requests = cycle([request.partition(MARK) for request in plan.requests])
        self._clients: list[Client] = []
        self.tally = Tally()
        self._busy = 0
        self._left: int | None = None
        self._ends = 0.0
        self._done = asyncio.Event()

    async def connect(self) -> None:
        """Connections are dealt out evenly over the ports, which is the fairest of balancers."""
        loop, plan = asyncio.get_running_loop(), self._plan
        for number in range(plan.clients):
            port = plan.ports[number % len(plan.ports)]
            _, client = await loop.create_connection(lambda: Client(self), plan.host, port)
            self._clients.append(client)

    async def phase(self, seconds: float, requests: int | None = None) -> tuple[Tally, float]:
        """Ask until the time is up or all was asked, wait for what is on its way."""
        self.tally, self._left, self._done = Tally(), requests, asyncio.Event()
        began = time.perf_counter()
        self._ends = began + seconds
        self._busy = len(self._clients)
        for client in self._clients:
            client.next()
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                await self._done.wait()
        except TimeoutError:
            self.tally.lost += self._busy
        return self.tally, time.perf_counter() - began

    def take(self) -> bytes | None:
        """The next request; None when this phase has no more."""
        if self._left is None:
            if time.perf_counter() >= self._ends:
                return None
        elif self._left == 0:
            return None
        else:
            self._left -= 1
        return self._next_request()

    def _next_request(self) -> bytes:
        before, mark, after = next(self._requests)
        return b"%s%010d%s" % (before, next(self._numbers), after) if mark else before

    @property
    def carries(self) -> bool:
        return self._plan.carries

    def asked_at(self) -> float:
        """When the request that was taken last was due; its latency counts from then."""
        return time.perf_counter()

    def answered(self, status: int, latency: float, at: float) -> None:
        tally = self.tally
        tally.statuses[status] += 1
        tally.latencies.append(latency)
        if at <= self._ends or self._left is not None:
            tally.within += 1

    def idle(self, _: "Client") -> None:
        """This one has nothing more to ask for, or its connection has ended."""
        self._busy -= 1
        if not self._busy:
            self._done.set()


class Client(asyncio.Protocol):
    """One connection: asks, reads one answer, asks again."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._asked = 0.0
        self._waiting = False
        self._own: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour

    def next(self) -> None:
        request = self._load.take()
        if request is None or self._transport is None:
            self._waiting = False
            self._load.idle(self)
            return
        if self._load.carries:
            request = self._own = self._own or request
        self._waiting = True
        self._asked = self._load.asked_at()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        length = answer_length(buffer)
        if length is None or len(buffer) < length:
            self._buffer = buffer
            return
        self._buffer = buffer[length:]
        now = time.perf_counter()
        if self._own:
            self._own = carried_over(self._own, buffer[:length])
        self._load.answered(int(buffer[9:12]), now - self._asked, now)
        self.next()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        if self._waiting:
            self._load.tally.lost += 1
            self._waiting = False
            self._load.idle(self)


def carried_over(request: bytes, answer: bytes) -> bytes:
    """The request with the answer's token; itself where the answer has none."""
    _, found, remaining = answer.partition(CARRIED)
    if not found:
        return request
    head, name, _ = request.partition(CARRIED)
    return b'%s%s%s"}' % (head, name, remaining[: remaining.index(b'"')])


def answer_length(buffer: bytes) -> int | None:
    """How long the answer at the start of a buffer is; None while its head is incomplete."""
    end = buffer.find(_HEAD_END)
    if end < 0:
        return None
    head = buffer[:end].lower()
    at = head.find(_LENGTH)
    if at < 0:
        return end + len(_HEAD_END)
    value, _, _ = head[at + len(_LENGTH) :].partition(b"\r\n")
    return end + len(_HEAD_END) + int(value)


class OpenLoad(Load):
    """Requests at fixed times. One that is sent late counts from when it was due.

    So a service that stands still for a second is seen by all who would have asked then, which a
    closed loop omits (coordinated omission).
    """

    def __init__(self, plan: Plan, rate: float) -> None:
        super().__init__(plan)
        self._rate = rate
        self._due: deque[float] = deque()
        self._free: deque[Client] = deque()
        self._asked_at = 0.0

    async def phase(self, seconds: float, requests: int | None = None) -> tuple[Tally, float]:
        self.tally, self._done = Tally(), asyncio.Event()
        self._free = deque(self._clients)
        total = requests or round(seconds * self._rate)
        began, scheduled = time.perf_counter(), 0
        self._ends = began + total / self._rate
        while scheduled < total:
            while scheduled < total and (due := began + scheduled / self._rate) <= _now():
                self._due.append(due)
                scheduled += 1
            while self._due and self._free:
                self._free.popleft().next()
            await asyncio.sleep(TICK_SECONDS)
        await self._answered(began + seconds + GRACE_SECONDS)
        return self.tally, time.perf_counter() - began

    async def _answered(self, deadline: float) -> None:
        """All that is due was asked and answered, or the deadline has passed."""
        while self._due or len(self._free) < len(self._clients):
            if _now() > deadline:
                self.tally.lost += len(self._due) + len(self._clients) - len(self._free)
                self._due.clear()
                return
            await asyncio.sleep(TICK_SECONDS)

    def take(self) -> bytes | None:
        if not self._due:
            return None
        self._asked_at = self._due.popleft()
        return self._next_request()

    def asked_at(self) -> float:
        return self._asked_at

    def idle(self, client: Client) -> None:
        self._free.append(client)


def _now() -> float:
    return time.perf_counter()


async def run(plan: Plan) -> None:
    load = Load(plan) if plan.rate is None else OpenLoad(plan, plan.rate)
    await load.connect()
    await load.phase(plan.warmup_seconds, plan.warmup_requests)
    print("warm", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.readline)
    cpu = sum(os.times()[:2])
    tally, took = await load.phase(plan.seconds, plan.number_of_requests)
    result = {
        "clients": plan.clients,
        "latencies": sorted(tally.latencies),
        "statuses": tally.statuses,
        "within": tally.within,
        "lost": tally.lost,
        "took": took,
        "seconds": took if plan.number_of_requests else min(took, plan.seconds),
        "cpu": sum(os.times()[:2]) - cpu,
    }
    print(json.dumps(result), flush=True)


def main() -> None:
    uvloop.run(run(pickle.load(sys.stdin.buffer)))


if __name__ == "__main__":
    main()
