"""All connections of one HTTP server: how many, since when they wait, what they hold in memory."""

import asyncio
from collections import defaultdict
from typing import Protocol

from prometheus_client import Counter, Gauge

from infra.http.bounds import Bounds, ClientKey, Phase
from infra.http.refusals import OVERLOADED, TOO_MANY_OF_CLIENT, Refusal

READ_BYTES = 64 * 1024
SWEEP_SECONDS = 0.5
_MAX_STEP_SECONDS = 1.0

OPEN = Gauge("qnt9_http_connections", "Connections that are open", ["server"])
BUFFERED = Gauge(
    "qnt9_http_buffered_bytes", "Bytes of requests that are not answered yet", ["server"]
)
REFUSED = Counter(
    "qnt9_http_refused_total",
    "Requests and connections refused before the application, by reason",
    ["server", "reason"],
)
CLOSED = Counter(
    "qnt9_http_closed_total",
    "Connections closed by the server because a time or a number was used up, by reason",
    ["server", "reason"],
)


class Bounded(Protocol):
    """A connection as its table sees it."""

    phase: Phase | None

    def expire(self, phase: Phase) -> None:
        """The time of this phase is over."""

    def relieve(self) -> None:
        """Give back what is held: all connections together hold too much."""

    def cut(self) -> None:
        """The client takes nothing: close at once."""


class Connections:
    """Counts connections, and ends those that wait for too long or hold too much.

    Insertion order is order of time, so that the oldest is always the first.
    """

    def __init__(
        self, bounds: Bounds, *, name: str = "http", client_key: ClientKey = lambda peer: peer
    ) -> None:
        self.bounds = bounds
        self.buffer = bytearray(READ_BYTES)
        """Shared by all connections: what is read is parsed or copied before the next read."""
        self.view = memoryview(self.buffer)
        self._name = name
        self._client_key = client_key
        self._clock = 0.0
        """Seconds, not counting those in which the event loop was held up and read nothing: what a
        client sent meanwhile is not late."""
        self._count = 0
        self._of_client: defaultdict[str, int] = defaultdict(int)
        self._in: dict[Phase, dict[Bounded, float]] = {phase: {} for phase in Phase}
        self._stalled: dict[Bounded, float] = {}
        self._buffered = 0
        OPEN.labels(name).set_function(lambda: self._count)
        BUFFERED.labels(name).set_function(lambda: self._buffered)

    def admit(self, peer: str | None) -> tuple[str | None, Refusal | None]:
        """Count a new connection; under which key, and why it is refused if it is.

        A connection that is refused is counted as well until it has closed.
        """
        key = self._client_key(peer) if peer else None
        self._count += 1
        if key is not None:
            self._of_client[key] += 1
            if self._of_client[key] > self.bounds.connections_of_client:
                return key, TOO_MANY_OF_CLIENT
        if self._count > self.bounds.connections and not self._close_idle():
            return key, OVERLOADED
        return key, None

    def release(self, key: str | None) -> None:
        """A connection has closed."""
        self._count -= 1
        if key is not None:
            self._of_client[key] -= 1
            if not self._of_client[key]:
                del self._of_client[key]

    def move(self, connection: Bounded, phase: Phase | None) -> None:
        """What a connection waits for from now on; None: nothing, the application answers."""
        if connection.phase is not None:
            del self._in[connection.phase][connection]
        connection.phase = phase
        if phase is not None:
            self._in[phase][connection] = self._clock

    def stall(self, connection: Bounded) -> None:
        """The client takes nothing of its answer for now."""
        self._stalled[connection] = self._clock

    def resume(self, connection: Bounded) -> None:
        """It does again, or is gone."""
        self._stalled.pop(connection, None)

    def hold(self, change: int) -> None:
        """So many bytes more, or fewer, are in memory. The oldest that wait give theirs back."""
        self._buffered += change
        if self._buffered > self.bounds.buffered_bytes:
            for phase in (Phase.BODY, Phase.HEAD):
                for connection in list(self._in[phase]):
                    if self._buffered <= self.bounds.buffered_bytes:
                        return
                    connection.relieve()

    def refused(self, refusal: Refusal) -> None:
        """Count a request that was refused."""
        REFUSED.labels(self._name, refusal.code).inc()

    def closed(self, reason: str) -> None:
        """Count a connection that was closed, and why."""
        CLOSED.labels(self._name, reason).inc()

    async def sweep(self) -> None:
        """End what has waited for too long, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(SWEEP_SECONDS)
            self._clock += min(loop.time() - began, _MAX_STEP_SECONDS)
            for phase in Phase:
                for connection in self._older(self._in[phase], self.bounds.seconds(phase)):
                    connection.expire(phase)
            for connection in self._older(self._stalled, self.bounds.write_seconds):
                self.closed("write")
                connection.cut()

    def _older(self, waiting: dict[Bounded, float], seconds: float) -> list[Bounded]:
        before = self._clock - seconds
        found = []
        for connection, since in waiting.items():
            if since > before:
                break
            found.append(connection)
        return found

    def _close_idle(self) -> bool:
        """Close the connection that has been without a request for the longest."""
        for connection in self._in[Phase.IDLE]:
            self.closed("room")
            connection.cut()
            return True
        return False
