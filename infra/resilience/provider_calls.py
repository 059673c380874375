"""Calls to a provider outside: retried with back-off, behind a circuit breaker, a few at a time.

The only place of tenacity; pybreaker's is `circuit` beside it. Retries are outside, the breaker
inside, the time-out innermost. Each process has a breaker of its own; openings and the one probe of
a half-open circuit are shared through the cache server, as far as it can be reached.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import structlog
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from infra.observability.tracing import TRACING
from infra.resilience.circuit_breaker import ADOPTED, Circuit
from infra.resilience.policies import (
    Change,
    CircuitChange,
    CircuitOpenError,
    CircuitPolicy,
    CircuitState,
    Limited,
    OutOfTimeError,
    RateLimitedError,
    RetryPolicy,
    TransientError,
)
from infra.resilience.shared_circuits import Opening, SharedCircuit
from infra.runtime.clock import CLOCK

log = structlog.get_logger(__name__)

T = TypeVar("T")

CIRCUIT = Gauge("qnt9_circuit_state", "0 closed, 1 half open, 2 open", ["provider"])
CHANGES = Counter("qnt9_circuit_changes_total", "Transitions, by the new state", ["provider", "to"])
CALLS = Counter(
    "qnt9_upstream_calls_total", "Calls to a provider, by result", ["provider", "result"]
)
LAST_ERROR = Gauge("qnt9_upstream_last_error_seconds", "Its Unix time", ["provider", "error"])
_LEVELS: dict[CircuitState, int] = {"closed": 0, "half_open": 1, "open": 2}


class Upstream:
    """All calls to one provider. `on_change` is called with what this process saw for itself."""

    def __init__(
        self,
        provider: str,
        redis: Redis,
        on_change: Callable[[Change], None],
        *,
        retries: RetryPolicy,
        circuit: CircuitPolicy,
    ) -> None:
        self._provider = provider
        self._on_change = on_change
        self._retries = retries
        self._slots = asyncio.Semaphore(circuit.parallel)
        self._circuit = Circuit(circuit, self._changed)
        self._shared = SharedCircuit(redis, provider)
        self._last_error: tuple[str, datetime] | None = None
        CIRCUIT.labels(provider).set(0)

    @property
    def open_until(self) -> datetime | None:
        """Until when nobody calls, as far as this process knows; None when somebody may."""
        until = self._circuit.opening.until
        return datetime.fromtimestamp(until, UTC) if until > CLOCK.time() else None

    def describe(self) -> dict[str, Any]:
        """Return the state of the provider, as JSON for operators."""
        until, error = self.open_until, self._last_error
        return {
            "name": self._provider,
            "circuit": self._circuit.state,
            "until": until.isoformat(timespec="seconds") if until else None,
            "limited": self._circuit.opening.limited,
            "last_error": error[0] if error else None,
            "last_error_at": error[1].isoformat(timespec="seconds") if error else None,
        }

    async def call(self, ask: Callable[[], Awaitable[T]], *, within: float) -> T:
        """Return what `ask` returns.

        Raises its last error, `CircuitOpenError` or `OutOfTimeError`.
        """
        policy = self._retries
        retrying = AsyncRetrying(
            stop=stop_after_attempt(policy.attempts)
            | stop_before_delay(max(within - policy.fair_seconds, 0)),
            wait=wait_exponential_jitter(
                max=policy.most_seconds,
                jitter=policy.jitter_seconds,
                multiplier=policy.least_seconds,
            ),
            retry=self._is_worth_another,
            reraise=True,
        )
        ends = asyncio.get_running_loop().time() + within
        return cast("T", await retrying(self._attempt, ask, ends))

    def _is_worth_another(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, TransientError) or self._circuit.state != "closed":
            return False
        return error.attempts is None or state.attempt_number < error.attempts

    async def _attempt(self, ask: Callable[[], Awaitable[T]], ends: float) -> T:
        async with self._slot(ends):
            if ends - asyncio.get_running_loop().time() < self._retries.fair_seconds:
                raise OutOfTimeError
            async with self._admitted():
                try:
                    with self._circuit.calling(), self._traced():
                        answer = await _until(ends, ask)
                except Exception as error:
                    self._failed(error)
                    if isinstance(error, RateLimitedError):
                        self._circuit.limit(error)
                    raise
                CALLS.labels(self._provider, "answered").inc()
                return answer

    def _traced(self) -> AbstractContextManager[None]:
        return TRACING.inner(f"call {self._provider}", "client", {"peer.service": self._provider})

    @asynccontextmanager
    async def _slot(self, ends: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(ends):
                await self._slots.acquire()
        except TimeoutError:
            raise OutOfTimeError from None
        try:
            yield
        finally:
            self._slots.release()

    @asynccontextmanager
    async def _admitted(self) -> AsyncIterator[None]:
        """Raises `CircuitOpenError`. Of a circuit whose time is over, one call at a time."""
        circuit, shared = self._circuit, self._shared
        if opening := await shared.opening():
            circuit.adopt(opening)
        probes = circuit.state != "closed"
        if probes:
            circuit.begin_probe()
            if not await shared.elected():
                circuit.probing = False
                raise CircuitOpenError(limited=circuit.opening.limited)
        try:
            yield
        finally:
            circuit.probing = circuit.probing and not probes
            if opened := circuit.take_news():
                await self._opened(opened)
            if probes:
                await shared.probed(closed=circuit.state == "closed")

    def _failed(self, error: Exception) -> None:
        kind = type(error).__name__
        CALLS.labels(self._provider, kind).inc()
        LAST_ERROR.labels(self._provider, kind).set_to_current_time()
        self._last_error = (str(error) or kind, CLOCK.now())

    def _changed(self, change: CircuitChange) -> None:
        CIRCUIT.labels(self._provider).set(_LEVELS[change.after])
        CHANGES.labels(self._provider, change.after).inc()
        change = replace(change, provider=self._provider)
        log.warning("circuit_changed", **asdict(change))
        if change.reason != ADOPTED:
            self._on_change(change)

    async def _opened(self, opening: Opening) -> None:
        if opening.limited:
            until = datetime.fromtimestamp(opening.until, UTC)
            log.warning("provider_rate_limited", provider=self._provider, until=until.isoformat())
            self._on_change(Limited(self._provider, until))
        await self._shared.open(opening)


async def _until(ends: float, ask: Callable[[], Awaitable[T]]) -> T:
    try:
        async with asyncio.timeout_at(ends):
            return await ask()
    except TimeoutError as error:
        raise OutOfTimeError from error
