"""Fixtures of these tests."""

from functools import partial

import pytest

from contracts.commands import SignUp
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.handler_calls import one_at_a_time
from infra.messaging.record_reader import RecordReader
from infra.messaging.transaction import Transactions
from infra.security.seals import OpeningKeys, SealingKey, decode_key
from tests.support.message_builders import MemoryDeadLetters, no_sleep
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.users import ADDRESS_KEY, quick_passwords
from tests.support.workers.signup_slice import SignupSlice
from workers.signup.consumer import POLICY
from workers.signup.handlers import HANDLES, Signup


@pytest.fixture
async def deps(database: Database) -> SignupSlice:
    seals, public = OpeningKeys.generate()
    transactions = Transactions(
        await database.pool("qnt9_signup"), "signup", MemoryOutcomeNotifier()
    )
    parts = Signup(
        transactions=transactions,
        seals=seals,
        passwords=quick_passwords(),
        address_key=ADDRESS_KEY,
    )
    dead_letters = MemoryDeadLetters()
    work = BatchProcessor(
        "signup",
        one_at_a_time({message: partial(handle, parts) for message, handle in HANDLES.items()}),
        reader=RecordReader({SignUp.type: SignUp}, None),
        dead_letters=dead_letters,
        transactions=transactions,
        policy=POLICY,
        sleep=no_sleep,
        touch=lambda: None,
    )
    return SignupSlice(parts, SealingKey(decode_key(public)), work, dead_letters, database)
