"""The loop that sends mails: claims what is due, sends some at a time, records what became of it.

Woken when this process queues a mail, and by a clock for retries and other processes' mails. A
row is "sending" before its mail can reach anybody; no lock and no transaction is held meanwhile.
"""

import asyncio
import random
import time
from datetime import timedelta
from uuid import UUID

import structlog

from contracts.personal import ErasedError
from infra.mail.delivery_health import DeliveryHealth
from infra.mail.transport import DeferredError, Mailer, OutgoingMail, RefusedError
from infra.messaging.transaction import Transactions
from infra.observability.tracing import TRACING, Attributes
from infra.postgres.pool import CONNECT_SECONDS, Pool
from infra.runtime.backoff import Backoff, wait_for_event
from workers.notifications import mail_queue
from workers.notifications.mail_queue import Claimed
from workers.notifications.mail_recording import BACKOFF_SECONDS, DATABASE_DOWN, MailRecording
from workers.notifications.mail_templates import Messages
from workers.notifications.rules import Retry

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
LEASE = timedelta(seconds=20)
"""Renewed while a mail is in hand; what a killed process had comes again after it."""
SETTLE_SECONDS = BACKOFF_SECONDS[1] + 2 * CONNECT_SECONDS
"""For so long after the database was away, what others had stays theirs, though its lease ended.

They may be about to record it: the longest back-off, after an attempt to connect, and a margin.
"""
STALLED_SECONDS = 120.0
DRAIN_SECONDS = 10.0


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
        self._backoff = Backoff(*BACKOFF_SECONDS)
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
            delay = self._backoff.fail()
            tries = self._backoff.failures
            log.warning("mails_not_claimed", error=type(error).__name__, tries=tries)
            await wait_for_event(self._stopping, delay)
            return
        if self._backoff.succeed():
            self._settled_at = time.monotonic() + SETTLE_SECONDS
        for mail in claimed:
            self._begin(mail)
        if not free or len(claimed) < free:
            await wait_for_event(self._woken, self._poll)

    async def _claim(self, free: int) -> list[Claimed]:
        settled = not self._backoff.failures and time.monotonic() >= self._settled_at
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
            attributes: Attributes = {
                "qnt9.mail.id": str(mail.id),
                "qnt9.mail.attempt": mail.attempts,
            }
            with (
                structlog.contextvars.bound_contextvars(
                    mail_id=str(mail.id), user_id=str(mail.user_id), attempt=mail.attempts
                ),
                TRACING.continued(f"mail {mail.template}", "client", mail.traceparent, attributes),
            ):
                await self._deliver(mail)
        except DATABASE_DOWN as error:
            log.warning("mail_not_recorded", mail_id=str(mail.id), error=type(error).__name__)
        finally:
            del self._in_hand[mail.id]
            self._woken.set()

    async def _deliver(self, mail: Claimed) -> None:
        recording = MailRecording(self._pool, self._transactions, self.delivery_health, mail)
        try:
            outgoing = self._outgoing(mail)
        except ErasedError:
            await recording.ended("cancelled", "the person was erased")
            return
        except Exception as error:  # noqa: BLE001  # its text may hold what the mail says
            log.error("mail_not_rendered", error=type(error).__name__)  # noqa: TRY400
            await self._try_later(recording, DeferredError(f"rendering: {type(error).__name__}"))
            return
        try:
            await self._mailer.deliver(outgoing, recording)
        except RefusedError as error:
            await recording.ended("failed", str(error))
        except DeferredError as error:
            self.delivery_health.deferred(error, self._retry.asked(error.wait_seconds))
            await self._try_later(recording, error)
        except DATABASE_DOWN:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            log.error("mail_not_handed_over", error=type(error).__name__)  # noqa: TRY400
            failed = DeferredError(type(error).__name__, perhaps_taken=True)
            await self._try_later(recording, failed)

    def _outgoing(self, mail: Claimed) -> OutgoingMail:
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

    async def _try_later(self, recording: MailRecording, error: DeferredError) -> None:
        mail = recording.mail
        chance = random.random()  # noqa: S311  # jitter
        delay = self._retry.delay(mail.attempts, mail.age, chance, error.wait_seconds)
        if delay is None:
            await recording.ended("failed", str(error))
            return
        perhaps_sent = mail.again or error.perhaps_taken
        await recording.deferred(delay, str(error), perhaps_sent=perhaps_sent)
