"""Commands that make accounts."""

from dataclasses import dataclass

from contracts.commands import SignUp
from contracts.events import UserSignedUp
from contracts.ids import derived_uuid7
from contracts.outcomes import Succeeded
from contracts.sealed_contents import Application
from infra.messaging.dispatch import Handlers
from infra.messaging.inbound import InboundMessage
from infra.messaging.sealed_data import open_seal
from infra.messaging.transaction import Transactions
from infra.postgres.personal_data_keys import make_user_key, user_keys
from infra.security.address_hmac import address_hash
from infra.security.password_hashing import Passwords
from infra.security.seals import OpeningKeys, binding
from workers.signup import store
from workers.signup.rules import decide


@dataclass(frozen=True, kw_only=True)
class SignupDeps:
    """What the slice works with."""

    transactions: Transactions
    seals: OpeningKeys
    passwords: Passwords
    address_key: bytes


async def sign_up(deps: SignupDeps, received: InboundMessage[SignUp]) -> None:
    """The same work and the same outcome whether or not the address is taken.

    Handled again on a restored database, it makes the same user with the same key, so that what
    was published about that user in between stays readable.
    """
    command = received.envelope
    application = open_seal(
        deps.seals,
        received.data.sealed,
        of=received.envelope,
        purpose="signup",
        holds=Application,
    )
    address = address_hash(deps.address_key, application.email)
    async with deps.passwords.slot() as slot:
        password_hash = await slot.hash(application.password)

    async with deps.transactions.begin() as tx:
        owner = await store.lock_owner(tx.conn, address)
        new_id = derived_uuid7(command.time, command.id, "user")
        event = decide(application, owner=owner, new_id=new_id)
        if isinstance(event, UserSignedUp):
            await store.insert_user(
                tx.conn,
                event.user_id,
                email=application.email,
                address_hash=address,
                display_name=application.display_name,
                password_hash=password_hash,
                secret_hash=application.secret_hash,
            )
            secret = deps.seals.derive(received.data.sealed, binding(command.id, "user-key"))
            key = await make_user_key(tx.conn, event.user_id, secret)
        else:
            key = (await user_keys(tx.conn, [event.user_id]))[event.user_id]
        tx.emit(event, about=event.user_id, caused_by=received, key=key)
        tx.complete(received, Succeeded(), fingerprint=application.fingerprint)


HANDLES: Handlers[SignupDeps] = {SignUp: sign_up}
