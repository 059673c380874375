"""Fixtures of these tests."""

import pytest

from contracts import base64url
from contracts.commands import SignUp
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.dispatch import dispatch_each
from infra.messaging.record_reader import RecordReader
from infra.messaging.transaction import Transactions
from infra.security.seals import OpeningKeys, SealingKey
from tests.support.message_builders import MemoryDeadLetters, no_sleep
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.users import ADDRESS_KEY, quick_passwords
from tests.support.workers.signup_slice import SignupSlice
from workers.signup.consumer import POLICY
from workers.signup.handlers import HANDLES, SignupDeps


@pytest.fixture
async def deps(database: Database) -> SignupSlice:
    seals, public = OpeningKeys.generate()
    transactions = Transactions(
        await database.pool("qnt9_signup"), "signup", MemoryOutcomeNotifier()
    )
    parts = SignupDeps(
        transactions=transactions,
        seals=seals,
        passwords=quick_passwords(),
        address_key=ADDRESS_KEY,
    )
    dead_letters = MemoryDeadLetters()
    work = BatchProcessor(
        "signup",
        dispatch_each(HANDLES, parts),
        reader=RecordReader({SignUp.type: SignUp}, None),
        dead_letters=dead_letters,
        transactions=transactions,
        policy=POLICY,
        sleep=no_sleep,
        touch=lambda: None,
    )
    return SignupSlice(parts, SealingKey(base64url.decode(public)), work, dead_letters, database)
