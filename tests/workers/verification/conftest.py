"""Fixtures of these tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from contracts import base64url
from infra.mail.settings import MailSettings
from infra.mail.smtp import Smtp
from infra.mail.transport import Mailer
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.dispatch import dispatch_each
from infra.messaging.record_reader import RecordReader
from infra.messaging.transaction import Transactions
from infra.postgres.pool import Pool
from infra.security.seals import OpeningKeys, SealingKey
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.message_builders import (
    MemoryDeadLetters,
    no_sleep,
)
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.users import ADDRESS_KEY
from tests.support.workers.verification_slice import (
    FROM,
    QUICK,
    StartSender,
    VerificationSlice,
    messages,
)
from workers.notifications.rules import Retry
from workers.notifications.sender import Sender
from workers.verification.consumer import COMMANDS_POLICY
from workers.verification.handlers import HANDLES, VerificationDeps


@pytest.fixture
async def deps(database: Database) -> VerificationSlice:
    seals, public = OpeningKeys.generate()
    pool = await database.pool("qnt9_verification")
    outcome_notifier = MemoryOutcomeNotifier()
    transactions = Transactions(pool, "verification", outcome_notifier)
    woken: list[bool] = []
    parts = VerificationDeps(
        transactions=transactions,
        mail_transactions=Transactions(pool, "verification-mails"),
        seals=seals,
        address_key=ADDRESS_KEY,
        messages=messages(),
        wake_sender=lambda: woken.append(True),
    )
    dead_letters = MemoryDeadLetters()
    work = BatchProcessor(
        "verification",
        dispatch_each(HANDLES, parts),
        reader=RecordReader({message.type: message for message in HANDLES}, None),
        dead_letters=dead_letters,
        transactions=transactions,
        policy=COMMANDS_POLICY,
        sleep=no_sleep,
        touch=lambda: None,
    )
    return VerificationSlice(
        parts,
        SealingKey(base64url.decode(public)),
        work,
        dead_letters,
        database,
        outcome_notifier,
        woken,
    )


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with running_mail_server() as running:
        yield running


@pytest.fixture
async def start_sender(deps: VerificationSlice, server: MailServer) -> AsyncIterator[StartSender]:
    """Each call starts one more sender, as the slice's own process has it."""

    @asynccontextmanager
    async def running(sender: Sender) -> AsyncIterator[Sender]:
        task = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            await sender.stop()
            task.cancel()
            await asyncio.wait({task})

    async with AsyncExitStack() as stack:

        async def start(
            *,
            retry: Retry = QUICK,
            poll: float = 0.02,
            lease: timedelta = timedelta(seconds=90),
            seconds: float = 5.0,
            mailer: Mailer | None = None,
            pool: Pool | None = None,
        ) -> Sender:
            pool = pool or await deps.database.pool("qnt9_verification")
            settings = MailSettings.model_validate(
                {"smtp_url": server.url, "mail_from": FROM, "smtp_seconds": seconds}
            )
            sender = Sender(
                pool,
                Transactions(pool, "verification"),
                messages(),
                mailer or Smtp(settings),
                retry=retry,
                poll=poll,
                lease=lease,
            )
            deps.parts = replace(deps.parts, wake_sender=sender.wake)
            return await stack.enter_async_context(running(sender))

        yield start
