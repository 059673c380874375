"""How much one address is mailed, whatever asked for it: counted by the HMAC of the address.

At most one mail a minute and five an hour of each share. What anybody can ask for without a session
(`anyone`) is left out beyond that; notices to the owner of an account (`owner`) wait for their
turn instead, so that nobody can suppress them. The row of an address is locked while it
is counted, in the transaction that queues the mail, so the count is exact.

On a recovered database mails are made again. Those have shares of their own and are judged at the
time of what called for them, as they were the first time, so they use up nothing of today's.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from prometheus_client import Counter

from contracts.ids import time_of
from infra.postgres.pool import Connection
from infra.security.address_hmac import address_hash
from workers.notifications.mail_templates import Draft
from workers.notifications.rules import OWNER_NOTICES

MAX_WAIT = timedelta(days=1)
"""How long a mail to an owner may have to wait for its turn; it is left out beyond that."""

NOT_MAILED = Counter(
    "qnt9_mails_left_out_total", "Mails beyond what one address may be sent", ["template"]
)


async def admitted(
    conn: Connection, key: bytes, drafts: Sequence[Draft], recovered: Collection[UUID] = ()
) -> list[Draft]:
    """Those of these mails that may be sent, each with the time from which on it may.

    `key` is that of address hashes; `recovered` are the causes of mails that are made again, whose
    ids have the time of their cause. Addresses are counted in one order, so nobody can deadlock.
    """
    by_address = sorted(
        ((address_hash(key, draft.to), draft) for draft in drafts),
        key=lambda pair: (pair[0], pair[1].id),
    )
    allowed = []
    for address, draft in by_address:
        owners = draft.template in OWNER_NOTICES
        at = time_of(draft.id) if draft.cause_id in recovered else None
        due_at = await _take(conn, address, owners=owners, at=at)
        if due_at is None:
            NOT_MAILED.labels(draft.template).inc()
        else:
            allowed.append(replace(draft, due_at=due_at))
    return allowed


async def _take(
    conn: Connection, address: str, *, owners: bool, at: datetime | None
) -> datetime | None:
    """When the next mail of a share may be sent, which is then counted; None when it may not.

    `at` is the time of what called for a mail that is made again, None for any other mail.
    """
    due_at: datetime | None = await conn.fetchval(
        """
        INSERT INTO mail_allowances AS kept (address_hash, share, sent_at, last_at)
        VALUES ($1, $2, ARRAY[coalesce($4, clock_timestamp())], coalesce($4, clock_timestamp()))
            ON CONFLICT (address_hash, share) DO UPDATE
           SET (sent_at, last_at) = (
                   SELECT (kept.sent_at || at)[greatest(1, cardinality(kept.sent_at) - 3) :], at
                     FROM (SELECT greatest(
                               coalesce($4, clock_timestamp()),
                               kept.last_at + interval '1 minute',
                               CASE WHEN cardinality(kept.sent_at) >= 5
                                    THEN kept.sent_at[cardinality(kept.sent_at) - 4]
                                         + interval '1 hour' END
                           )) AS next (at)
               )
         WHERE kept.last_at + interval '1 minute' <= coalesce($4, clock_timestamp()) + $3::interval
           AND (cardinality(kept.sent_at) < 5
                OR kept.sent_at[cardinality(kept.sent_at) - 4] + interval '1 hour'
                   <= coalesce($4, clock_timestamp()) + $3::interval)
        RETURNING last_at
        """,
        address,
        ("owner" if owners else "anyone") + ("-recovered" if at else ""),
        MAX_WAIT if owners else timedelta(0),
        at,
    )
    return due_at
