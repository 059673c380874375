"""One process' circuit breaker for one provider: counts by pybreaker, a clock of our own.

The time of an opening is shared between processes and may grow, so pybreaker's own is not used.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

from pybreaker import (
    STATE_CLOSED,
    CircuitBreaker,
    CircuitBreakerListener,
    CircuitBreakerState,
)

from infra.resilience.policies import (
    CircuitChange,
    CircuitOpenError,
    CircuitPolicy,
    CircuitState,
    RateLimitedError,
)
from infra.resilience.shared_circuits import Opening
from infra.runtime.clock import CLOCK

ADOPTED = "another process opened it"


class Circuit(CircuitBreakerListener):
    """Open at the policy's number of failures in a row, or at once when we are limited."""

    def __init__(self, policy: CircuitPolicy, changed: Callable[[CircuitChange], None]) -> None:
        self._policy = policy
        self._changed = changed
        self._cause: BaseException | None = None
        self._adopting = False
        self._news: Opening | None = None
        self.opening = Opening()
        self.probing = False
        self._breaker = CircuitBreaker(
            fail_max=policy.failures,
            reset_timeout=0,
            exclude=[self._is_given_up],
            listeners=[self],
            throw_new_error_on_trip=False,
        )

    @property
    def state(self) -> CircuitState:
        """Whether calls pass, are refused, or one of them is a trial."""
        return _state(self._breaker.current_state)

    def calling(self) -> AbstractContextManager[None]:
        """Count what becomes of the call within; `breaker.call` would miss a coroutine's error."""
        return cast("AbstractContextManager[None]", self._breaker.calling())

    def begin_probe(self) -> None:
        """Begin a trial call.

        Raises `CircuitOpenError` while it is not time, or another call probes.
        """
        if self.probing or CLOCK.time() < self.opening.until:
            raise CircuitOpenError(limited=self.opening.limited)
        self.probing = True

    def limit(self, error: RateLimitedError) -> None:
        """Open at once, however few calls failed; the first of several answers counts."""
        if self.state == "open" and self.opening.limited and CLOCK.time() < self.opening.until:
            return
        self._cause = error
        if self.state == "open":
            self._open_anew()
        else:
            self._breaker.open()

    def adopt(self, opening: Opening) -> None:
        """Open as another process did that has seen the provider fail."""
        if opening.until <= self.opening.until:
            return
        self._adopting, self.opening = True, opening
        if self.state == "closed":
            self._breaker.open()
        self._adopting = False

    def failure(self, cb: CircuitBreaker, exc: BaseException) -> None:  # noqa: ARG002  # pybreaker's
        self._cause = exc

    def state_change(
        self,
        cb: CircuitBreaker,  # noqa: ARG002  # pybreaker's
        old_state: CircuitBreakerState | None,
        new_state: CircuitBreakerState,
    ) -> None:
        """Calls that began before an opening may fail after it: that is no change."""
        before = _state(old_state.name if old_state else STATE_CLOSED)
        after = _state(new_state.name)
        if before == after:
            return
        reason = None
        if after == "closed":
            self.opening = Opening()
        elif after == "open" and self._adopting:
            reason = ADOPTED
        elif after == "open":
            self._open_anew()
            reason = str(self._cause) or type(self._cause).__name__
        self._changed(CircuitChange("", before, after, reason))

    def take_news(self) -> Opening | None:
        """Return an opening that was not reported yet, once."""
        news, self._news = self._news, None
        return news

    def _open_anew(self) -> None:
        policy, before = self._policy, self.opening
        if isinstance(self._cause, RateLimitedError):
            asked_seconds = self._cause.retry_after or 0
            seconds = max(asked_seconds, policy.limited_seconds, 2 * before.seconds)
            seconds = min(seconds, policy.limited_seconds_most)
            self.opening = Opening(CLOCK.time() + seconds, limited=True, seconds=seconds)
        else:
            self.opening = Opening(CLOCK.time() + policy.open_seconds, seconds=before.seconds)
        self._news = self.opening

    def _is_given_up(self, error: BaseException) -> bool:
        """A call that we cancelled says nothing of the provider; a probe must not close on it."""
        return isinstance(error, asyncio.CancelledError) and not self.probing


def _state(name: str) -> CircuitState:
    return cast("CircuitState", name.replace("-", "_"))
