"""signup.commands → handlers, one at a time."""

from contracts.topics import SIGNUP
from infra.composition.process import Worker
from infra.messaging.consumer_policy import Policy
from infra.messaging.dispatch import dispatch_each
from infra.runtime.settings import Key, WorkerSettings
from infra.security.password_hashing import Passwords
from infra.security.seals import OpeningKeys
from workers.signup.handlers import HANDLES, SignupDeps

# Hashing bounds the rate; a small batch is committed before long.
POLICY = Policy(max_records=50)


class SignupSettings(WorkerSettings):
    """The key of addresses, and the one that opens what is sealed to this slice."""

    address_key: Key
    signup_seal_private: Key


async def start(worker: Worker, settings: SignupSettings) -> None:
    """Start the consumer of the slice."""
    deps = SignupDeps(
        transactions=worker.transactions(SIGNUP),
        seals=OpeningKeys([settings.signup_seal_private]),
        passwords=Passwords(),
        address_key=settings.address_key,
    )
    await worker.consume(
        SIGNUP,
        dispatch_each(HANDLES, deps),
        transactions=deps.transactions,
        policy=POLICY,
    )
