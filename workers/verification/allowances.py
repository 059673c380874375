"""How much one address is mailed, whatever asked for it: counted by the HMAC of the address.

At most one mail a minute and five an hour of each share. What anybody can ask for without a session
(`anyone`) is left out beyond that; what is told to the owner of an account (`owner`) waits for its
turn instead, so nobody can keep an owner from being told. The row of an address is locked while it
is counted, in the transaction that queues the mail, so the count is exact.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from prometheus_client import Counter

from infra.postgres.pool import Connection
from infra.security.address_hmac import address_hash
from workers.verification.messages import Draft
from workers.verification.rules import TOLD_TO_OWNERS

MAX_WAIT = timedelta(days=1)
"""How long a mail to an owner may have to wait for its turn; it is left out beyond that."""

NOT_MAILED = Counter(
    "qnt9_mails_left_out_total", "Mails beyond what one address may be sent", ["template"]
)


async def admitted(conn: Connection, key: bytes, drafts: Sequence[Draft]) -> list[Draft]:
    """Those of these mails that may be sent, each with the time from which on it may.

    `key` is that of address hashes. Addresses are counted in one order, so nobody can deadlock.
    """
    by_address = sorted(
        ((address_hash(key, draft.to), draft) for draft in drafts),
        key=lambda pair: (pair[0], pair[1].id),
    )
    allowed = []
    for address, draft in by_address:
        due_at = await _take(conn, address, owners=draft.template in TOLD_TO_OWNERS)
        if due_at is None:
            NOT_MAILED.labels(draft.template).inc()
        else:
            allowed.append(replace(draft, due_at=due_at))
    return allowed


async def _take(conn: Connection, address: str, *, owners: bool) -> datetime | None:
    """When the next mail of a share may be sent, which is then counted; None when it may not."""
    at: datetime | None = await conn.fetchval(
        """
        INSERT INTO mail_allowances AS kept (address_hash, share, sent_at, last_at)
        VALUES ($1, $2, ARRAY[clock_timestamp()], clock_timestamp())
            ON CONFLICT (address_hash, share) DO UPDATE
           SET (sent_at, last_at) = (
                   SELECT (kept.sent_at || at)[greatest(1, cardinality(kept.sent_at) - 3) :], at
                     FROM (SELECT greatest(
                               clock_timestamp(),
                               kept.last_at + interval '1 minute',
                               CASE WHEN cardinality(kept.sent_at) >= 5
                                    THEN kept.sent_at[cardinality(kept.sent_at) - 4]
                                         + interval '1 hour' END
                           )) AS next (at)
               )
         WHERE kept.last_at + interval '1 minute' <= clock_timestamp() + $3::interval
           AND (cardinality(kept.sent_at) < 5
                OR kept.sent_at[cardinality(kept.sent_at) - 4] + interval '1 hour'
                   <= clock_timestamp() + $3::interval)
        RETURNING last_at
        """,
        address,
        "owner" if owners else "anyone",
        MAX_WAIT if owners else timedelta(0),
    )
    return at
