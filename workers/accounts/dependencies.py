"""What the handlers of all sub-slices of accounts work with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from infra.messaging.transaction import Transactions
from infra.postgres.pool import Pool
from infra.runtime.clock import CLOCK
from infra.security.access_tokens import TokenChecker, TokenSigner
from infra.security.password_hashing import Passwords
from infra.security.seals import OpeningKeys


def utc_now() -> datetime:
    """The time of the process' corrected clock."""
    return CLOCK.now()


@dataclass(frozen=True, kw_only=True)
class AccountsDeps:
    """The parts of the process. `transactions` are those of the consumer that has the message."""

    pool: Pool
    transactions: Transactions
    seals: OpeningKeys
    passwords: Passwords
    signer: TokenSigner
    checker: TokenChecker
    address_key: bytes
    refresh_key: bytes
    now: Callable[[], datetime] = utc_now
