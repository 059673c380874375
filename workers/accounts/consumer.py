"""signin., passwords. and accounts.commands → handlers, one at a time, each with a consumer."""

from datetime import timedelta
from functools import partial

from pydantic import Field

from contracts.topics import ACCOUNTS, PASSWORDS, SIGNIN
from infra.messaging.consumer_policy import Policy
from infra.messaging.handler_calls import one_at_a_time
from infra.runtime.process import Worker
from infra.runtime.settings import Key, WorkerSettings
from infra.security.access_tokens import TokenSigner
from infra.security.password_hashing import Passwords
from infra.security.seals import OpeningKeys
from workers.accounts.administration import handlers as administration
from workers.accounts.administration.handlers import Administration
from workers.accounts.confirmation import handlers as confirmation
from workers.accounts.confirmation.handlers import Confirmation
from workers.accounts.email_undo import handlers as undo
from workers.accounts.email_undo.handlers import Undoing
from workers.accounts.passwords import handlers as passwords
from workers.accounts.passwords.handlers import PasswordDeps
from workers.accounts.profile import handlers as profiles
from workers.accounts.profile.handlers import Profiles
from workers.accounts.sessions import handlers as sessions
from workers.accounts.sessions import retention
from workers.accounts.sessions.handlers import Sessions
from workers.accounts.signin import handlers
from workers.accounts.signin.handlers import Accounts

# Hashing bounds the rate, and the next batch waits for the slowest of this one.
POLICY = Policy(max_records=50)


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
    worker.delete_expired(retention.rules(timedelta(days=settings.accounts_sessions_kept_days)))
    seals = OpeningKeys([settings.accounts_seal_private])
    signer = TokenSigner(settings.token_private_key)
    accounts = Accounts(
        pool=worker.pool,
        transactions=worker.transactions(SIGNIN),
        seals=seals,
        passwords=Passwords(),
        signer=signer,
        address_key=settings.address_key,
    )
    await worker.consume(
        SIGNIN,
        one_at_a_time({m: partial(handle, accounts) for m, handle in handlers.HANDLES.items()}),
        transactions=accounts.transactions,
        policy=POLICY,
    )
    guarded = PasswordDeps(
        pool=worker.pool,
        transactions=worker.transactions(PASSWORDS),
        seals=seals,
        passwords=accounts.passwords,
    )
    undoing = Undoing(
        pool=worker.pool,
        transactions=guarded.transactions,
        seals=seals,
        passwords=accounts.passwords,
        address_key=settings.address_key,
    )
    confirming = Confirmation(
        pool=worker.pool,
        transactions=guarded.transactions,
        seals=seals,
        passwords=accounts.passwords,
    )
    await worker.consume(
        PASSWORDS,
        one_at_a_time(
            {m: partial(handle, guarded) for m, handle in passwords.HANDLES.items()}
            | {m: partial(handle, confirming) for m, handle in confirmation.HANDLES.items()}
            | {m: partial(handle, undoing) for m, handle in undo.HANDLES.items()}
        ),
        transactions=guarded.transactions,
        policy=POLICY,
    )
    begun = Sessions(
        transactions=worker.transactions(ACCOUNTS),
        seals=seals,
        signer=signer,
        refresh_key=settings.refresh_key,
    )
    profile = Profiles(transactions=begun.transactions, seals=seals)
    admins = Administration(transactions=begun.transactions, seals=seals, tokens=signer.checker())
    await worker.consume(
        ACCOUNTS,
        one_at_a_time(
            {m: partial(handle, begun) for m, handle in sessions.HANDLES.items()}
            | {m: partial(handle, profile) for m, handle in profiles.HANDLES.items()}
            | {m: partial(handle, admins) for m, handle in administration.HANDLES.items()}
        ),
        transactions=begun.transactions,
    )
