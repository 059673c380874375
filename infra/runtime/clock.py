"""The time that all hosts of an installation agree on.

Deadlines, expiries and ages are made on one host and judged on another, whose clocks may differ. So
each process measures how far its own clock is from the database's, and corrects it by that. Small
differences are left alone: they are within what a measurement costs.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from prometheus_client import Gauge

TOLERATED = timedelta(seconds=60)
"""A clock that is further off is a problem, and is corrected even so."""
LEFT_ALONE = timedelta(seconds=0.5)
MAX_ROUND_TRIP = timedelta(seconds=2)
"""A measurement that took longer says too little."""

SKEW = Gauge(
    "qnt9_clock_skew_seconds", "This host's clock less the database's, as it was measured last"
)


def _system_time() -> datetime:
    return datetime.now(UTC)


class Clock:
    """This host's clock, corrected by the database's."""

    def __init__(self, system_time: Callable[[], datetime] = _system_time) -> None:
        self._system_time = system_time
        self._correction = timedelta()
        self.skew = timedelta()
        """This host's clock less the database's."""

    def now(self) -> datetime:
        """Return the time in UTC, as every host of the installation has it."""
        return self._system_time() + self._correction

    def time(self) -> float:
        """Return the same in seconds since 1970."""
        return self.now().timestamp()

    def system_time(self) -> datetime:
        """Return the time of this host's own clock, uncorrected."""
        return self._system_time()

    def measured(self, theirs: datetime, *, asked: datetime, answered: datetime) -> None:
        """Note the database's time, with when we asked and had the answer by our own clock."""
        round_trip = answered - asked
        if not timedelta() <= round_trip <= MAX_ROUND_TRIP:
            return
        self.skew = asked + round_trip / 2 - theirs
        self._correction = -self.skew if abs(self.skew) > LEFT_ALONE + round_trip else timedelta()
        SKEW.set(self.skew.total_seconds())

    @property
    def problem(self) -> str | None:
        """In words, when this host's clock is further off than is tolerated."""
        if abs(self.skew) <= TOLERATED:
            return None
        seconds = self.skew.total_seconds()
        side = "ahead of" if seconds > 0 else "behind"
        return f"this host's clock is {abs(seconds):.0f} s {side} the database's"


CLOCK = Clock()
"""This process' clock: as there is one of the host, there is one that is corrected."""
