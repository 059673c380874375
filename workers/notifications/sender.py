"""The loop that sends mails: claims what is due, sends some at a time, records what became of it.

Woken when this process queues a mail, and by a clock for retries and other processes' mails. A
row is "sending" before its mail can reach anybody; no lock and no transaction is held meanwhile.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter

from contracts.events import UserMailFailed
from contracts.personal import ErasedError
from infra.mail.delivery_health import DeliveryHealth
from infra.mail.transport import DeferredError, Mailer, OutgoingMail, RefusedError
from infra.messaging.transaction import Transactions
from infra.postgres.pool import CONNECT_SECONDS, TRANSIENT, UNAVAILABLE, Pool
from workers.notifications import mail_queue
from workers.notifications.mail_queue import Claimed
from workers.notifications.mail_templates import Messages
from workers.notifications.rules import Retry

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
LEASE = timedelta(seconds=20)
"""Renewed while a mail is in hand; what a killed process had comes again after it."""
BACKOFF_SECONDS = (0.2, 5.0)
SETTLE_SECONDS = BACKOFF_SECONDS[1] + 2 * CONNECT_SECONDS
"""For so long after the database was away, what others had stays theirs, though its lease ended.

They may be about to record it: the longest back-off, after an attempt to connect, and a margin.
"""
STALLED_SECONDS = 120.0
DRAIN_SECONDS = 10.0

MAILS = Counter("qnt9_mails_total", "Attempts to send, by their end", ["template", "result"])
SENT_AGAIN = Counter(
    "qnt9_mails_sent_again_total", "Mails sent again because their result was not recorded"
)

DATABASE_DOWN = (*UNAVAILABLE, *TRANSIENT, asyncpg.PostgresError)

Write = Callable[[], Awaitable[object]]


class Sender:
    """One sender of perhaps several; a mail is one's who holds its lease."""

    def __init__(
        self,
        pool: Pool,
        transactions: Transactions,
        messages: Messages,
        mailer: Mailer,
        *,
        at_once: int = 4,
        retry: Retry | None = None,
        poll: float = POLL_SECONDS,
        lease: timedelta = LEASE,
    ) -> None:
        self.delivery_health = DeliveryHealth()
        self._pool = pool
        self._transactions = transactions
        self._messages = messages
        self._mailer = mailer
        self._at_once = at_once
        self._retry = retry or Retry()
        self._poll = poll
        self._lease = lease
        self._in_hand: dict[UUID, Claimed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failures = 0
        self._progress = self._renewed = time.monotonic()
        self._settled_at = self._progress + SETTLE_SECONDS

    def wake(self) -> None:
        """A mail was queued."""
        self._woken.set()

    async def run(self) -> None:
        """Until stopped, whatever is away meanwhile."""
        try:
            while not self._stopping.is_set():
                await self._step()
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            self._stopped.set()

    async def stop(self) -> None:
        """Returns when the mails in hand are sent and recorded."""
        self._stopping.set()
        self._woken.set()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._stopped.wait()
        except TimeoutError:
            log.warning("sender_left_mails", mails=[str(mail_id) for mail_id in self._in_hand])

    @property
    def alive(self) -> bool:
        """Progress, not a ping: the loop moved lately."""
        return time.monotonic() - self._progress < STALLED_SECONDS

    async def _step(self) -> None:
        self._progress = time.monotonic()
        self._woken.clear()
        free = 0 if self.delivery_health.held else self._at_once - len(self._in_hand)
        try:
            await self._renew()
            claimed = await self._claim(free)  # also of none: it tells whether the database is away
        except DATABASE_DOWN as error:
            self._failures += 1
            log.warning("mails_not_claimed", error=type(error).__name__, tries=self._failures)
            await self._pause(_backoff(self._failures))
            return
        if self._failures:
            self._settled_at = time.monotonic() + SETTLE_SECONDS
        self._failures = 0
        for mail in claimed:
            self._begin(mail)
        if not free or len(claimed) < free:
            await self._wait()

    async def _claim(self, free: int) -> list[Claimed]:
        settled = not self._failures and time.monotonic() >= self._settled_at
        async with self._pool.acquire() as conn:
            return await mail_queue.claim(
                conn, free, self._lease, self._in_hand, ended_leases=settled
            )

    def _begin(self, mail: Claimed) -> None:
        self._in_hand[mail.id] = mail
        task = asyncio.create_task(self._send(mail))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _renew(self) -> None:
        now = time.monotonic()
        if self._in_hand and now - self._renewed >= self._lease.total_seconds() / 4:
            async with self._pool.acquire() as conn:
                await mail_queue.renew(conn, self._lease, self._in_hand.values())
            self._renewed = now

    async def _send(self, mail: Claimed) -> None:
        """Never raises: what cannot be recorded comes again when its lease has ended."""
        try:
            with structlog.contextvars.bound_contextvars(
                mail_id=str(mail.id), user_id=str(mail.user_id), attempt=mail.attempts
            ):
                await self._deliver(mail)
        except DATABASE_DOWN as error:
            log.warning("mail_not_recorded", mail_id=str(mail.id), error=type(error).__name__)
        finally:
            del self._in_hand[mail.id]
            self._woken.set()

    async def _deliver(self, mail: Claimed) -> None:
        try:
            letter = self._letter(mail)
        except ErasedError:
            await self._end(mail, "cancelled", "the person was erased")
            return
        except Exception as error:  # noqa: BLE001  # its text may hold what the mail says
            log.error("mail_not_rendered", error=type(error).__name__)  # noqa: TRY400
            await self._try_later(mail, DeferredError(f"rendering: {type(error).__name__}"))
            return
        try:
            await self._mailer.deliver(letter, _Record(self, self._pool, mail))
        except RefusedError as error:
            await self._end(mail, "failed", str(error))
        except DeferredError as error:
            self.delivery_health.deferred(error, self._retry.asked(error.wait_seconds))
            await self._try_later(mail, error)
        except DATABASE_DOWN:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            log.error("mail_not_handed_over", error=type(error).__name__)  # noqa: TRY400
            await self._try_later(mail, DeferredError(type(error).__name__, perhaps_taken=True))

    def _letter(self, mail: Claimed) -> OutgoingMail:
        if mail.key is None:
            raise ErasedError(str(mail.user_id))
        return self._messages.render(
            mail.template,
            mail.template_version,
            mail_id=mail.id,
            message_id=mail.message_id,
            created_at=mail.created_at,
            parameters=mail.key.decrypt(mail.parameters),
        )

    async def _try_later(self, mail: Claimed, error: DeferredError) -> None:
        chance = random.random()  # noqa: S311  # jitter
        delay = self._retry.delay(mail.attempts, mail.age, chance, error.wait_seconds)
        if delay is None:
            await self._end(mail, "failed", str(error))
            return
        perhaps_sent = mail.again or error.perhaps_taken

        async def write() -> None:
            async with self._pool.acquire() as conn:
                await mail_queue.retry_later(
                    conn, mail, delay, str(error), perhaps_sent=perhaps_sent
                )

        await self.insist(write)
        count(mail, "deferred")
        log.info("mail_deferred", reason=str(error), seconds=round(delay.total_seconds(), 1))

    async def _end(self, mail: Claimed, status: str, reason: str) -> None:
        """Not sent, for good. The event leaves with the record."""

        async def write() -> None:
            async with self._transactions.begin() as tx:
                await mail_queue.lock_user(tx.conn, mail.user_id)
                if (
                    await mail_queue.mark_ended(tx.conn, mail, status, reason)
                    and status == "failed"
                ):
                    event = UserMailFailed(
                        user_id=mail.user_id, mail_id=str(mail.id), template=mail.template
                    )
                    tx.emit(event, about=mail.user_id, event_id=mail.failure_id)

        await self.insist(write)
        count(mail, status)
        log.warning("mail_ended", status=status, reason=reason)

    async def insist(self, write: Write) -> None:
        """Until it is written: what has happened to a mail is known nowhere else."""
        tries = 0
        while True:
            try:
                await write()
            except DATABASE_DOWN as error:
                tries += 1
                log.warning("mail_record_waits", error=type(error).__name__, tries=tries)
                await asyncio.sleep(_backoff(tries))
            else:
                return

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


@dataclass(frozen=True, slots=True)
class _Record:
    """What is written about one mail while the server has it before it."""

    sender: Sender
    pool: Pool
    mail: Claimed

    async def sending(self) -> bool:
        async with self.pool.acquire() as conn:
            may_go = await mail_queue.mark_sending(conn, self.mail)
        if not may_go:
            count(self.mail, "dropped")
            log.info("mail_dropped", reason="no longer wanted, or another sender's")
        elif self.mail.again:
            SENT_AGAIN.inc()
            log.warning(
                "mail_sent_again", reason="the result of the attempt before was not recorded"
            )
        return may_go

    async def sent(self) -> None:
        async def write() -> None:
            async with self.pool.acquire() as conn:
                await mail_queue.mark_sent(conn, self.mail)

        await self.sender.insist(write)
        self.sender.delivery_health.taken()
        count(self.mail, "sent")
        log.info("mail_sent")


def count(mail: Claimed, result: str) -> None:
    MAILS.labels(mail.template, result).inc()


def _backoff(tries: int) -> float:
    least, most = BACKOFF_SECONDS
    return min(most, least * 2.0 ** min(tries - 1, 10))
