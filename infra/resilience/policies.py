"""What can become of a call to a provider outside, and by which numbers it is made."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

CircuitState = Literal["closed", "open", "half_open"]


class TransientError(Exception):
    """The provider failed: counts against it, and may be tried again."""

    attempts: ClassVar[int | None] = None
    """At most so many for this kind, if fewer than the policy has."""


class RateLimitedError(Exception):
    """The provider asks us to stop: nobody calls it for a while."""

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__("rate limited")
        self.retry_after = retry_after


class OutOfTimeError(Exception):
    """Whoever waits cannot be answered in time by another call, or this one took too long."""


class CircuitOpenError(Exception):
    """The provider was not called. `limited` when it asked for that itself."""

    def __init__(self, *, limited: bool) -> None:
        super().__init__("the circuit is open")
        self.limited = limited


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits double from `least_seconds` to `most_seconds`, each with up to a second more."""

    attempts: int = 3
    least_seconds: float = 2.0
    most_seconds: float = 30.0
    jitter_seconds: float = 1.0
    fair_seconds: float = 1.0
    """No call is begun with less time left: what is cut off counts as the provider's failure."""


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """When a circuit opens, and for how long."""

    failures: int = 5
    open_seconds: float = 30.0
    limited_seconds: float = 300.0
    limited_seconds_most: float = 3_600.0
    parallel: int = 4


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """The circuit of a provider went from one state to another."""

    provider: str
    before: CircuitState
    after: CircuitState
    reason: str | None


@dataclass(frozen=True, slots=True)
class Limited:
    """A provider is left alone until then, as it asked."""

    provider: str
    until: datetime


Change = CircuitChange | Limited
