"""Fixtures of these tests."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts import base64url
from contracts.topics import ACCOUNTS, SIGNIN
from infra.messaging.transaction import Transactions
from infra.security.access_tokens import TokenChecker, TokenSigner
from infra.security.seals import OpeningKeys, SealingKey
from tests.support.message_builders import (
    MemoryDeadLetters,
)
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.workers.accounts_deps import accounts_deps
from tests.support.workers.accounts_slice import REFRESH_KEY, AccountsSlice, Clock
from tests.support.workers.password_slice import GuardedSlice, a_guarded_slice


@pytest.fixture
async def deps(database: Database) -> AccountsSlice:
    seals, public = OpeningKeys.generate()
    replies, reply_key = OpeningKeys.generate()
    signing = Ed25519PrivateKey.generate()
    outcome_notifier, clock = MemoryOutcomeNotifier(), Clock()
    pool = await database.pool("qnt9_accounts")
    signer = TokenSigner(signing.private_bytes_raw())
    parts = accounts_deps(
        pool,
        SIGNIN,
        outcome_notifier,
        seals=seals,
        signer=signer,
        refresh_key=REFRESH_KEY,
        now=clock,
    )
    begun = replace(parts, transactions=Transactions(pool, ACCOUNTS.name, outcome_notifier))
    return AccountsSlice(
        parts=parts,
        begun=begun,
        sealing=SealingKey(base64url.decode(public)),
        replies=replies,
        reply_key=reply_key,
        checker=TokenChecker(signing.public_key().public_bytes_raw()),
        clock=clock,
        outcome_notifier=outcome_notifier,
        dead_letters=MemoryDeadLetters(),
        database=database,
    )


@pytest.fixture
async def guarded(database: Database) -> GuardedSlice:
    return await a_guarded_slice(database)
