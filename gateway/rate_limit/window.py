"""The sliding window, in memory: what `window.lua` does in the cache server.

A window is kept as at most 21 slots, each with the time of its first request and their number.
Never more than `most` within the time that a window takes, less a twentieth of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SLOTS = 20
SWEEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One count that a request would add to. `unless`: a key whose existence spares it that."""

    key: str
    most: int
    seconds: int
    unless: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How a check stands after it was asked: what is left, when the oldest slot is forgotten.

    Nothing of a request was counted when any of its checks is refused.
    """

    refused: bool
    remaining: int
    seconds: float


SPARED = UNCOUNTED = Count(refused=False, remaining=-1, seconds=0.0)


class Windows:
    """Windows of one process. Past `most_keys` it knows of no room for another."""

    def __init__(self, most_keys: int) -> None:
        self._most_keys = most_keys
        self._windows: dict[str, tuple[float, dict[float, int]]] = {}
        self._swept = 0.0

    def take(self, checks: Sequence[Check], now: float) -> list[Count] | None:
        """Count one request, if every check allows it. None when there is no room to count."""
        slots = [self._slots(check, now) for check in checks]
        new = sum(check.key not in self._windows for check in checks)
        if new and not self._room_for(new, now):
            return None
        refused = [sum(s.values()) >= c.most for c, s in zip(checks, slots, strict=True)]
        counts = []
        for check, found, is_refused in zip(checks, slots, refused, strict=True):
            if not any(refused):
                self._add(check, found, now)
            oldest = min(found, default=now)
            left = max(0, check.most - sum(found.values()))
            counts.append(Count(is_refused, left, oldest + check.seconds - now))
        return counts

    def forget(self, key: str) -> None:
        self._windows.pop(key, None)

    def give_back(self, key: str) -> None:
        """What was counted last was not tried after all."""
        _, slots = self._windows.get(key, (0.0, {}))
        latest = max(slots, default=None)
        if latest is None:
            return
        slots[latest] -= 1
        if not slots[latest]:
            del slots[latest]
        if not slots:
            self.forget(key)

    def _slots(self, check: Check, now: float) -> dict[float, int]:
        _, slots = self._windows.get(check.key, (0.0, {}))
        return {start: n for start, n in slots.items() if start + check.seconds > now}

    def _add(self, check: Check, slots: dict[float, int], now: float) -> None:
        latest = max(slots, default=None)
        if latest is None or latest + check.seconds / SLOTS <= now:
            latest = now
        slots[latest] = slots.get(latest, 0) + 1
        self._windows[check.key] = (now + check.seconds, slots)

    def _room_for(self, new: int, now: float) -> bool:
        if len(self._windows) + new > self._most_keys and now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            self._windows = {k: w for k, w in self._windows.items() if w[0] > now}
        return len(self._windows) + new <= self._most_keys
