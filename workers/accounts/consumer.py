"""signin.commands → handlers, one at a time."""

from functools import partial

from contracts.topics import SIGNIN
from infra.kafka.work import Policy, one_at_a_time
from infra.passwords import Passwords
from infra.process import Worker
from infra.seals import OpeningKeys
from infra.settings import Key, WorkerSettings
from infra.tokens import TokenSigner
from workers.accounts.handlers import HANDLES, Accounts

# Hashing bounds the rate, and the next batch waits for the slowest of this one.
POLICY = Policy(max_records=50)


class AccountsSettings(WorkerSettings):
    """The key of addresses, the one that opens what is sealed to this slice, the one of tokens."""

    address_key: Key
    accounts_seal_private: Key
    token_private_key: Key


async def start(worker: Worker, settings: AccountsSettings) -> None:
    slice_ = Accounts(
        pool=worker.pool,
        transactions=worker.transactions(SIGNIN),
        seals=OpeningKeys([settings.accounts_seal_private]),
        passwords=Passwords(),
        signer=TokenSigner(settings.token_private_key),
        address_key=settings.address_key,
    )
    await worker.consume(
        SIGNIN,
        one_at_a_time({message: partial(handle, slice_) for message, handle in HANDLES.items()}),
        transactions=slice_.transactions,
        policy=POLICY,
    )
