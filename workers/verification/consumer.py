"""verification.commands → handlers, one by one; users.events → mails, in bulk; the sender."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, HttpUrl

from contracts.topics import VERIFICATION, VERIFICATION_MAILS
from infra.composition.process import Worker
from infra.mail.settings import MailSettings
from infra.mail.transport_factory import open_mailer
from infra.messaging.consumer_policy import Policy
from infra.messaging.dispatch import dispatch_each, dispatch_in_bulk
from infra.runtime.settings import Key, WorkerSettings
from infra.security.seals import OpeningKeys
from workers.notifications import handlers as notifications
from workers.notifications.mail_templates import Messages
from workers.notifications.sender import Sender
from workers.verification import retention
from workers.verification.handlers import HANDLES, VerificationDeps

COMMANDS_POLICY = Policy(max_records=100)
MAILS_POLICY = Policy(max_records=500, in_bulk=True, fetch_min_bytes=65_536, fetch_max_wait_ms=250)
"""Most events call for no mail; a mail leaves a quarter of a second later than it could."""


def _origin(url: HttpUrl) -> HttpUrl:
    if url.query or url.fragment or url.username:
        raise ValueError("must be an address without query, fragment or user")
    return url


class VerificationSettings(WorkerSettings, MailSettings):
    """The keys of addresses, of seals and of mailed tokens; where links lead; how mail leaves.

    `verification_mails_kept_days`: after the end of a mail, or of the link in it.
    """

    address_key: Key
    verification_seal_private: Key
    mail_key: Key
    public_url: Annotated[HttpUrl, AfterValidator(_origin)]
    verification_mails_at_once: int = Field(default=4, ge=1, le=50)
    verification_mails_kept_days: int = Field(default=30, ge=7, le=3_650)


async def start(worker: Worker, settings: VerificationSettings) -> None:
    """The sender first, so that it is stopped after those who queue mails."""
    worker.delete_expired(retention.rules(timedelta(days=settings.verification_mails_kept_days)))
    messages = Messages(
        mail_from=settings.mail_from, public_url=str(settings.public_url), key=settings.mail_key
    )
    transactions = worker.transactions(VERIFICATION)
    sender = Sender(
        worker.pool,
        transactions,
        messages,
        await worker.shutdown.resources.enter_async_context(open_mailer(settings)),
        at_once=settings.verification_mails_at_once,
    )
    worker.health.alive["sender"] = lambda: None if sender.alive else "no progress"
    worker.health.details["mail"] = sender.delivery_health.describe
    worker.start("sender loop", sender.run())
    worker.shutdown.on_shutdown("sender", sender.stop)

    deps = VerificationDeps(
        transactions=transactions,
        mail_transactions=worker.transactions(VERIFICATION_MAILS),
        seals=OpeningKeys([settings.verification_seal_private]),
        address_key=settings.address_key,
        messages=messages,
        wake_sender=sender.wake,
    )
    await worker.consume(
        VERIFICATION,
        dispatch_each(HANDLES, deps),
        transactions=deps.transactions,
        policy=COMMANDS_POLICY,
    )
    await worker.consume(
        VERIFICATION_MAILS,
        dispatch_in_bulk(notifications.HANDLES, deps),
        transactions=deps.mail_transactions,
        policy=MAILS_POLICY,
    )
