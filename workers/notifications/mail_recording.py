"""What became of a mail, written until it stands: that is known nowhere else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import structlog
from prometheus_client import Counter

from contracts.events import UserMailFailed
from infra.mail.delivery_health import DeliveryHealth
from infra.messaging.transaction import Transactions
from infra.postgres.pool import TRANSIENT, UNAVAILABLE, Pool
from infra.runtime.backoff import Backoff
from workers.notifications import mail_queue
from workers.notifications.mail_queue import Claimed

log = structlog.get_logger(__name__)

BACKOFF_SECONDS = (0.2, 5.0)

MAILS = Counter("qnt9_mails_total", "Attempts to send, by their end", ["template", "result"])
SENT_AGAIN = Counter(
    "qnt9_mails_sent_again_total", "Mails sent again because their result was not recorded"
)

DATABASE_DOWN = (*UNAVAILABLE, *TRANSIENT, asyncpg.PostgresError)

Write = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class MailRecording:
    """What is written about one mail; the transport calls it while the server has it before it."""

    pool: Pool
    transactions: Transactions
    delivery_health: DeliveryHealth
    mail: Claimed

    async def sending(self) -> bool:
        """Record that the mail may leave now. Returns False for one that may not go any more.

        Raises `DATABASE_DOWN` errors: nothing has left yet, so the mail comes again.
        """
        async with self.pool.acquire() as conn:
            may_go = await mail_queue.mark_sending(conn, self.mail)
        if not may_go:
            self._count("dropped")
            log.info("mail_dropped", reason="no longer wanted, or another sender's")
        elif self.mail.again:
            SENT_AGAIN.inc()
            log.warning(
                "mail_sent_again", reason="the result of the attempt before was not recorded"
            )
        return may_go

    async def sent(self) -> None:
        """Record that the other side has taken the mail. Blocks until it is written."""

        async def write() -> None:
            async with self.pool.acquire() as conn:
                await mail_queue.mark_sent(conn, self.mail)

        await _insist(write)
        self.delivery_health.taken()
        self._count("sent")
        log.info("mail_sent")

    async def deferred(self, delay: timedelta, reason: str, *, perhaps_sent: bool) -> None:
        """Record that the mail is due again after `delay`. Blocks until it is written."""

        async def write() -> None:
            async with self.pool.acquire() as conn:
                await mail_queue.retry_later(
                    conn, self.mail, delay, reason, perhaps_sent=perhaps_sent
                )

        await _insist(write)
        self._count("deferred")
        log.info("mail_deferred", reason=reason, seconds=round(delay.total_seconds(), 1))

    async def ended(self, status: str, reason: str) -> None:
        """Record that the mail is not sent, for good. Blocks until it is written.

        `status` is `failed` or `cancelled`; the event of a failure leaves with the record.
        """

        async def write() -> None:
            async with self.transactions.begin() as tx:
                await mail_queue.lock_user(tx.conn, self.mail.user_id)
                marked = await mail_queue.mark_ended(tx.conn, self.mail, status, reason)
                if marked and status == "failed":
                    event = UserMailFailed(
                        user_id=self.mail.user_id,
                        mail_id=str(self.mail.id),
                        template=self.mail.template,
                    )
                    tx.emit(event, about=self.mail.user_id, event_id=self.mail.failure_id)

        await _insist(write)
        self._count(status)
        log.warning("mail_ended", status=status, reason=reason)

    def _count(self, result: str) -> None:
        MAILS.labels(self.mail.template, result).inc()


async def _insist(write: Write) -> None:
    """Try again until it is written, however long the database is away."""
    backoff = Backoff(*BACKOFF_SECONDS)
    while True:
        try:
            await write()
        except DATABASE_DOWN as error:
            delay = backoff.fail()
            log.warning("mail_record_waits", error=type(error).__name__, tries=backoff.failures)
            await asyncio.sleep(delay)
        else:
            return
