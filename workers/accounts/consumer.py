"""signin., passwords. and accounts.commands → handlers, one at a time, each with a consumer."""

from dataclasses import replace
from datetime import timedelta

from pydantic import Field

from contracts.topics import ACCOUNTS, PASSWORDS, SIGNIN, Consumer
from infra.composition.process import Worker
from infra.messaging.consumer_policy import Policy
from infra.messaging.dispatch import dispatch_each
from infra.runtime.settings import Key, WorkerSettings
from infra.security.access_tokens import TokenSigner
from infra.security.password_hashing import Passwords
from infra.security.seals import OpeningKeys
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.handlers import HANDLES
from workers.accounts.sessions import retention

# Hashing bounds the rate, and the next batch waits for the slowest of this one.
POLICY = Policy(max_records=50)
POLICIES: dict[Consumer, Policy] = {SIGNIN: POLICY, PASSWORDS: POLICY, ACCOUNTS: Policy()}


class AccountsSettings(WorkerSettings):
    """The key of addresses, the one that opens what is sealed here, those that make tokens.

    `accounts_sessions_kept_days`: after a session could be refreshed for the last time.
    """

    address_key: Key
    accounts_seal_private: Key
    token_private_key: Key
    refresh_key: Key
    accounts_sessions_kept_days: int = Field(default=30, ge=1, le=3_650)


async def start(worker: Worker, settings: AccountsSettings) -> None:
    """Start the three consumers of the slice, which share the hashing of passwords."""
    worker.delete_expired(retention.rules(timedelta(days=settings.accounts_sessions_kept_days)))
    signer = TokenSigner(settings.token_private_key)
    deps = AccountsDeps(
        pool=worker.pool,
        transactions=worker.transactions(SIGNIN),
        seals=OpeningKeys([settings.accounts_seal_private]),
        passwords=Passwords(),
        signer=signer,
        checker=signer.checker(),
        address_key=settings.address_key,
        refresh_key=settings.refresh_key,
    )
    for consumer, policy in POLICIES.items():
        transactions = worker.transactions(consumer)
        await worker.consume(
            consumer,
            dispatch_each(HANDLES, replace(deps, transactions=transactions)),
            transactions=transactions,
            policy=policy,
        )
