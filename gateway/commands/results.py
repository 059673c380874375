"""Waiting for outcomes: woken over the cache server, or by reading the rows.

While the subscription stands, a row is only read for what has waited long; while it does not,
all pending ids are read in one query, many times a second.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import structlog
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.exceptions import RedisError

from contracts.outcomes import Outcome, outcome_of
from gateway import queries
from infra.postgres.pool import UNAVAILABLE
from infra.postgres.reads import Readable
from infra.runtime.tls import kind_of

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.05
LOST_AFTER_SECONDS = 1.0
RECONNECT_SECONDS = 0.5

WOKEN = Counter("qnt9_gateway_outcomes_total", "Outcomes received, by how", ["by"])
PENDING = Gauge("qnt9_gateway_pending", "Commands that a request waits for")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """An outcome, and the fingerprint of the body that led to it."""

    outcome: Outcome
    fingerprint: str | None


class CommandResults:
    """The commands that this process waits for."""

    def __init__(self, redis: Redis, pool: Readable, channel: str) -> None:
        self._redis = redis
        self._pool = pool
        self.channel = channel
        self.listening = False
        self._pending: dict[UUID, list[tuple[float, asyncio.Future[CommandResult]]]] = {}
        self._arrived = asyncio.Event()
        PENDING.set_function(lambda: sum(map(len, self._pending.values())))

    def expect(self, command_id: UUID) -> asyncio.Future[CommandResult]:
        """Begin to wait, before the command is published. `forget` it in the end."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[CommandResult] = loop.create_future()
        self._pending.setdefault(command_id, []).append((loop.time(), future))
        self._arrived.set()
        return future

    def forget(self, command_id: UUID, future: asyncio.Future[CommandResult]) -> None:
        waiting = [w for w in self._pending.get(command_id, []) if w[1] is not future]
        if waiting:
            self._pending[command_id] = waiting
        else:
            self._pending.pop(command_id, None)

    async def wait_for_result(self, command_id: UUID, seconds: float) -> CommandResult | None:
        """What became of a command that was published; None when that takes longer."""
        waiting = self.expect(command_id)
        try:
            async with asyncio.timeout(seconds):
                return await waiting
        except TimeoutError:
            return None
        finally:
            self.forget(command_id, waiting)

    async def listen(self) -> None:
        """Hear wake-ups, for ever."""
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(self.channel)
                    self.listening = True
                    log.info("notifications_subscribed")
                    while True:
                        message = await subscription.get_message(
                            ignore_subscribe_messages=True, timeout=30.0
                        )
                        if message:
                            self._wake(message["data"])
            except (RedisError, OSError) as error:
                if self.listening:
                    log.warning("notifications_lost", error=kind_of(error), instead="polling")
                self.listening = False
                await asyncio.sleep(RECONNECT_SECONDS)

    async def poll(self) -> None:
        """Read what was not heard of, for ever."""
        while True:
            if not self._pending:
                self._arrived.clear()
                await self._arrived.wait()
            await asyncio.sleep(LOST_AFTER_SECONDS / 4 if self.listening else POLL_SECONDS)
            overdue = self._overdue()
            if overdue:
                with suppress(*UNAVAILABLE):
                    for row in await queries.outcomes(self._pool, overdue):
                        self._report_row(row["id"], row["outcome"], row["fingerprint"])

    def _overdue(self) -> list[UUID]:
        age = LOST_AFTER_SECONDS if self.listening else 0.0
        before = asyncio.get_running_loop().time() - age
        return [
            command_id
            for command_id, waiting in self._pending.items()
            if any(since <= before for since, _ in waiting)
        ]

    def _report_row(self, command_id: UUID, outcome: Any, fingerprint: str | None) -> None:
        """A row that is no outcome is as none: whoever waits is answered 202."""
        try:
            self._resolve(command_id, CommandResult(outcome_of(outcome), fingerprint))
        except ValueError:
            log.warning("outcome_unreadable", command_id=str(command_id))
        else:
            WOKEN.labels("row").inc()

    def _wake(self, data: bytes) -> None:
        """Anybody with the cache server's password can write here, so it may be anything."""
        try:
            announced: list[dict[str, Any]] = orjson.loads(data)["outcomes"]
            for one in announced:
                self._resolve(
                    UUID(one["id"]), CommandResult(outcome_of(one["outcome"]), one["fingerprint"])
                )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            log.warning("notification_unreadable", error=type(error).__name__, instead="polling")
            return
        WOKEN.labels("wakeup").inc(len(announced))

    def _resolve(self, command_id: UUID, command_result: CommandResult) -> None:
        for _, future in self._pending.get(command_id, []):
            if not future.done():
                future.set_result(command_result)
