"""What an access token cannot know of itself: that its session has ended, its user has changed.

Both are views of the database, read at the start, at each subscription and every few seconds. In
between the cache server announces whom to look at. What is known is kept as long as a token that
could be wrong about it; a request costs two look-ups in memory (ADR 10).
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Gauge
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway import queries
from gateway.problems import ProblemError
from infra.messaging.access_changes import CHANNEL, AccessChanges
from infra.postgres.pool import UNAVAILABLE
from infra.postgres.reads import Readable
from infra.runtime.tls import kind_of
from infra.security.access_tokens import LIFETIME, SKEW, Principal

log = structlog.get_logger(__name__)

LOAD_SECONDS = 5.0
RETRY_SECONDS = 1.0
RECONNECT_SECONDS = 0.5
SLACK = timedelta(minutes=1)
"""Rows bear the time at which their transaction began; longer than this none takes."""
REVOCATION_RETENTION = LIFETIME + SKEW + SLACK

MAX_REMEMBERED = 100_000
"""Beyond so many, what is announced is not believed; what the views say is."""

READ_AT = Gauge("qnt9_gateway_access_read_at", "Unix time of the last successful reading")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="qnt9", error="invalid_token"'}


@dataclass(frozen=True, slots=True)
class Changed:
    """A user as the database has it; `gone`: erased, or the address was somebody else's."""

    version: int
    tier: str
    permissions: tuple[str, ...]
    verified: bool
    gone: bool


class Revocations:
    """What this process knows of ended sessions and changed users."""

    def __init__(
        self, redis: Redis, pool: Readable, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._pool = pool
        self._clock = clock
        self._ended: dict[UUID, float] = {}
        self._changed: dict[UUID, tuple[Changed, float]] = {}
        self._named: set[UUID] = set()
        self._called = asyncio.Event()
        self._read_at: float | None = None
        self._due_at = clock()
        self.listening = False

    @property
    def problem(self) -> str | None:
        """Before the first reading nobody signed in is let in; after it, what is known stays."""
        return "ended sessions have not been read yet" if self._read_at is None else None

    def current(self, principal: Principal) -> Principal:
        """Whom the token names, as of now. Raises `ProblemError`."""
        if self._read_at is None:
            raise ProblemError("reads-unavailable")
        if principal.session_id in self._ended:
            raise ProblemError("unauthenticated", "The session has ended.", headers=_CHALLENGE)
        known = self._changed.get(principal.user_id)
        if known is None:
            return principal
        user = known[0]
        if user.gone:
            raise ProblemError(
                "unauthenticated", "The account does not exist any more.", headers=_CHALLENGE
            )
        if user.version <= principal.version:
            return principal
        return replace(
            principal,
            tier=user.tier,
            permissions=user.permissions,
            verified=user.verified,
            version=user.version,
        )

    def session_ended(self, session_id: UUID) -> None:
        """Known from now on: whoever ended it through us is not let in by us again."""
        self._ended[session_id] = self._clock() + REVOCATION_RETENTION.total_seconds()

    async def listen(self) -> None:
        """Hear announcements, for ever."""
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    while True:
                        message = await subscription.get_message(timeout=30.0)
                        if message:
                            self._hear(message)
            except (RedisError, OSError) as error:
                if self.listening:
                    log.warning("access_changes_not_received", error=kind_of(error))
                self.listening = False
                await asyncio.sleep(RECONNECT_SECONDS)

    async def follow(self) -> None:
        """Read what is new, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._due_at - self._clock())):
                    await self._called.wait()
            self._called.clear()
            try:
                if self._clock() >= self._due_at:
                    await self.read()
                elif named := self._take_named():
                    self._learn(await queries.users_named(self._pool, named))
            except (*UNAVAILABLE, asyncpg.PostgresError) as error:
                log.warning("access_not_read", error=kind_of(error))
                self._due_at = self._clock() + RETRY_SECONDS

    async def read(self) -> None:
        """Everything at first, then what may be new since the last time."""
        started = self._clock()
        since = REVOCATION_RETENTION
        if self._read_at is not None:
            since = min(REVOCATION_RETENTION, timedelta(seconds=started - self._read_at) + SLACK)
        for row in await queries.sessions_ended(self._pool, since):
            self._ended.setdefault(row["id"], started + REVOCATION_RETENTION.total_seconds())
        self._learn(await queries.users_changed(self._pool, since))
        self._forget(started)
        self._read_at, self._due_at = started, started + LOAD_SECONDS
        READ_AT.set_to_current_time()

    def _hear(self, message: dict[str, Any]) -> None:
        """An ended session counts at once; what a user may do is said by the database alone."""
        if message["type"] == "subscribe":
            log.info("access_changes_received")
            self.listening = True
            self._due_at = self._clock()
        else:
            try:
                changes = AccessChanges.from_json(message["data"])
            except ValueError:
                log.warning("access_changes_unreadable")
                return
            if len(self._ended) > MAX_REMEMBERED or len(self._named) > MAX_REMEMBERED:
                log.warning("access_changes_too_many", instead="reading")
                return
            for session_id in changes.sessions:
                self.session_ended(session_id)
            self._named |= changes.users
        self._called.set()

    def _take_named(self) -> set[UUID]:
        named, self._named = self._named, set()
        return named

    def _learn(self, rows: queries.Rows) -> None:
        until = self._clock() + REVOCATION_RETENTION.total_seconds()
        for row in rows:
            user = Changed(
                row["version"], row["tier"], tuple(row["permissions"]), row["verified"], row["gone"]
            )
            known = self._changed.get(row["id"])
            if known is None or user.gone or user.version >= known[0].version:
                self._changed[row["id"]] = user, until

    def _forget(self, now: float) -> None:
        """What no token can be wrong about any more."""
        for session_id in [s for s, until in self._ended.items() if until <= now]:
            del self._ended[session_id]
        for user_id in [u for u, (_, until) in self._changed.items() if until <= now]:
            del self._changed[user_id]
