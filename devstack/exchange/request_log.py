"""Every request that came, for tests to count and for people to read."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from devstack.exchange.faults import Endpoint

_REMEMBERED: Final = 20_000


@dataclass(slots=True)
class Entry:
    """`status` stays None as long as the answer has not begun, and for ever when it is a reset."""

    time: float
    endpoint: Endpoint
    path: str
    query: str
    symbols: Sequence[str]
    user_agent: str
    status: int | None = None
    faults: Sequence[str] = ()
    seconds: float | None = None


@dataclass(slots=True)
class RequestLog:
    """The counters count on when the oldest entries have been dropped."""

    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    endpoints: Counter[str] = field(default_factory=Counter)
    symbols: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0

    def begin(
        self, endpoint: Endpoint, path: str, query: str, symbols: Sequence[str], user_agent: str
    ) -> Entry:
        entry = Entry(time.time(), endpoint, path, query, symbols, user_agent)
        self.entries.append(entry)
        self.endpoints[endpoint] += 1
        self.symbols.update(set(symbols))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return entry

    def end(self, entry: Entry) -> None:
        entry.seconds = round(time.time() - entry.time, 6)
        self.in_flight -= 1

    def clear(self) -> None:
        self.entries.clear()
        self.endpoints.clear()
        self.symbols.clear()
        self.most_in_flight = self.in_flight

    def as_json(self) -> dict[str, Any]:
        return {
            "requests": [asdict(entry) for entry in self.entries],
            "counters": {"endpoints": dict(self.endpoints), "symbols": dict(self.symbols)},
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }
