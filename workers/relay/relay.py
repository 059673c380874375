"""The loop: own shards, read what is unpublished, publish, mark. Woken by NOTIFY, or a clock."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from infra.kafka.producer import Producer
from infra.postgres.pool import TRANSIENT, UNAVAILABLE, Connection, drop_old_plans
from infra.runtime.backoff import Backoff, wait_for_event
from workers.relay import store
from workers.relay.leases import LEASE_SECONDS, Lease, LeaseLostError
from workers.relay.publishing import publish
from workers.relay.rules import Held, View, fair_share, to_release, to_try

log = structlog.get_logger(__name__)

ROWS_A_TURN = 1_000
POLL_SECONDS = 0.5
GATHER_SECONDS = 0.025
"""After a notification, for the events of other transactions: a turn costs the same for all."""
REBALANCE_SECONDS = 1.0
PARTITIONS_SECONDS = 3_600.0
PARTITIONS_AGAIN_SECONDS = 60.0
HOLD_SECONDS = 5.0
BACKOFF_SECONDS = (0.2, 2.0)
STALLED_SECONDS = 120.0
WAITING_SECONDS = 5.0
DRAIN_SECONDS = 10.0

PUBLISHED = Counter("qnt9_relay_published_total", "Events that Kafka acknowledged", ["topic"])
LAG = Gauge(
    "qnt9_relay_lag_seconds", "Age of the oldest unpublished event of all shards, owned or not"
)
OWNED = Gauge("qnt9_relay_shards", "Shards owned")
UNOWNED = Gauge("qnt9_relay_shards_unowned", "Shards that no relay owns")


class KafkaAwayError(Exception):
    """Kafka did not acknowledge; what it did acknowledge is marked."""


class Relay:
    """One relay of perhaps several. A turn is: read, publish, mark what was acknowledged."""

    def __init__(
        self,
        open_session: Callable[[], AbstractAsyncContextManager[Connection]],
        producer: Producer,
        *,
        poll: float = POLL_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._open_session = open_session
        self._producer = producer
        self._poll = poll
        self._lease_seconds = lease_seconds
        self._owned: set[int] = set()
        self._view = View()
        self._held = Held(HOLD_SECONDS)
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._woken = asyncio.Event()
        self._trouble: str | None = "no session with Postgres yet"
        self._backoff = Backoff(*BACKOFF_SECONDS)
        self._rebalanced = self._partitions_due = float("-inf")
        self._progress = self._turn_began = time.monotonic()
        self._in_turn = False

    async def run(self) -> None:
        """Until stopped, whatever is away meanwhile."""
        try:
            while not self._stopping.is_set():
                try:
                    await self._session()
                except LeaseLostError as error:
                    await self._back_off("the lease on its shards", error)
                except (*UNAVAILABLE, *TRANSIENT, asyncpg.PostgresError) as error:
                    await self._back_off("Postgres", error)
        finally:
            self._stopped.set()

    async def stop(self) -> None:
        """Returns when the turn in hand is done and marked."""
        self._stopping.set()
        self._woken.set()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._stopped.wait()
        except TimeoutError:
            log.warning("relay_left_a_turn", hint="its events are published again by the next one")

    @property
    def alive(self) -> bool:
        """Progress, not a ping: the loop moved lately."""
        return time.monotonic() - self._progress < STALLED_SECONDS

    @property
    def problem(self) -> str | None:
        """Why this relay is not ready, in an operator's words; None when it is."""
        waiting = time.monotonic() - self._turn_began
        if self._in_turn and waiting > WAITING_SECONDS:
            return f"a turn has been waiting for {waiting:.0f} s"
        if self._trouble:
            return self._trouble
        if held := len(self._held.keys(time.monotonic())):
            return f"the broker refuses the events of {held} aggregates"
        return self._view.problem(time.monotonic())

    @property
    def owned(self) -> frozenset[int]:
        """The shards whose events this relay publishes."""
        return frozenset(self._owned)

    @property
    def details(self) -> dict[str, Any]:
        """What this relay owns and sees, for operators."""
        return {"shards": sorted(self._owned), **self._view.details(time.monotonic())}

    async def _session(self) -> None:
        """One session that reads and marks, beside one that keeps the lease on our shards."""
        try:
            async with self._open_session() as conn, self._open_session() as leasing:
                lease = Lease(leasing, seconds=self._lease_seconds)
                await conn.add_listener("outbox", self._on_notify)
                await lease.begin()
                keeping = asyncio.create_task(lease.keep())
                try:
                    while not self._stopping.is_set():
                        lease.check()
                        await self._step(conn, lease)
                finally:
                    keeping.cancel()
                    await asyncio.wait({keeping})
                await lease.end()
        finally:
            self._disown()

    async def _step(self, conn: Connection, lease: Lease) -> None:
        self._progress = time.monotonic()
        await self._keep_house(conn, lease)
        self._woken.clear()
        try:
            full = await self._turn(conn, lease)
        except KafkaAwayError as error:
            await self._back_off("Kafka", error)
            return
        if tries := self._backoff.succeed():
            log.info("relay_resumed", after_tries=tries)
        self._trouble = None
        if not full:
            await self._wait()

    async def _turn(self, conn: Connection, lease: Lease) -> bool:
        """Whether there is probably more."""
        if not self._owned:
            return False
        self._turn_began, self._in_turn = time.monotonic(), True
        try:
            now = time.monotonic()
            rows = await store.unpublished(conn, self._owned, self._held.keys(now), ROWS_A_TURN)
            if not rows:
                return False
            sent = await publish(self._producer, rows, lambda: lease.is_held)
            self._held.hold(sent.refused, time.monotonic())
            if sent.acknowledged:
                await store.mark_published(conn, sent.acknowledged)
                for row in sent.acknowledged:
                    PUBLISHED.labels(row.topic).inc()
            await drop_old_plans(conn)
            if sent.away:
                raise KafkaAwayError(sent.away)
            return len(rows) == ROWS_A_TURN
        finally:
            self._in_turn = False

    async def _keep_house(self, conn: Connection, lease: Lease) -> None:
        now = time.monotonic()
        if now - self._rebalanced >= REBALANCE_SECONDS:
            await self._rebalance(conn, lease)
            self._rebalanced = now
        if now >= self._partitions_due:
            self._partitions_due = now + PARTITIONS_AGAIN_SECONDS
            await self._make_partitions(conn)

    async def _make_partitions(self, conn: Connection) -> None:
        """What is not made, or not in time, costs neither the session nor its shards."""
        try:
            await store.ensure_partitions(conn)
        except (asyncpg.PostgresError, TimeoutError) as error:
            if isinstance(error, UNAVAILABLE) and not isinstance(error, TimeoutError):
                raise
            log.warning(
                "partitions_not_made",
                error=type(error).__name__,
                detail=str(error)[:200],
                hint="days ahead are there; past those, events go to the default partition",
            )
        else:
            self._partitions_due = time.monotonic() + PARTITIONS_SECONDS

    async def _rebalance(self, conn: Connection, lease: Lease) -> None:
        """Between turns only: what we give up, we are not sending."""
        before = frozenset(self._owned)
        await store.remove_expired(conn)
        share = fair_share(await store.count_relays(conn))
        for shard in to_release(self._owned, share):
            await store.release_shard(conn, lease.relay, shard)
        owners = await store.shard_owners(conn)
        self._owned = {shard for shard, owner in owners.items() if owner == lease.relay}
        free = {shard for shard, owner in owners.items() if owner is None}
        for shard in to_try(self._owned, share):
            if len(self._owned) == share or shard not in free:
                continue
            if await store.take_shard(conn, lease.relay, shard):
                self._owned.add(shard)
                free.discard(shard)
        OWNED.set(len(self._owned))
        self._view.look(free, await store.oldest_unpublished_seconds(conn), time.monotonic())
        UNOWNED.set(len(free))
        LAG.set(self._view.lag)
        if before != self._owned:
            log.info("shards_owned", shards=sorted(self._owned))

    def _disown(self) -> None:
        self._owned.clear()
        self._rebalanced = float("-inf")
        OWNED.set(0)

    async def _wait(self) -> None:
        """For a notification, and then a moment for those that come with it."""
        if await wait_for_event(self._woken, self._poll):
            await asyncio.sleep(GATHER_SECONDS)

    async def _back_off(self, what: str, error: BaseException) -> None:
        delay = self._backoff.fail()
        tries = self._backoff.failures
        self._trouble = f"{what}: {type(error).__name__}, tried {tries} times"
        self._progress = time.monotonic()
        log.warning(
            "dependency_down",
            dependency=what,
            error=type(error).__name__,
            detail=str(error)[:200],
            tries=tries,
        )
        await wait_for_event(self._stopping, delay)

    def _on_notify(self, *_: object) -> None:
        self._woken.set()
