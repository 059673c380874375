"""What the slices of accounts work with, on a real database."""

from typing import Any

from contracts.topics import Consumer
from infra.messaging.outcome_notifier import OutcomeNotifier
from infra.messaging.transaction import Transactions
from infra.postgres.pool import Pool
from infra.security.access_tokens import TokenSigner
from infra.security.seals import OpeningKeys
from tests.support.users import ADDRESS_KEY, quick_passwords
from workers.accounts.dependencies import AccountsDeps


def accounts_deps(
    pool: Pool,
    consumer: Consumer,
    outcome_notifier: OutcomeNotifier,
    *,
    seals: OpeningKeys,
    signer: TokenSigner,
    **options: Any,
) -> AccountsDeps:
    """The dependencies of one consumer; `options` replace what a test has of its own."""
    made: dict[str, Any] = {
        "pool": pool,
        "transactions": Transactions(pool, consumer.name, outcome_notifier),
        "seals": seals,
        "passwords": quick_passwords(),
        "signer": signer,
        "checker": signer.checker(),
        "address_key": ADDRESS_KEY,
        "refresh_key": bytes(32),
    }
    return AccountsDeps(**(made | options))
