"""The SQL of recipients, and of what calls for a mail; that of the queue is in `mail_queue.py`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.personal_data_keys import user_key_id
from infra.postgres.pool import Connection
from workers.notifications.rules import MAX_ALIKE_AN_HOUR, VERIFY


async def void_links(conn: Connection, users: Iterable[UUID], purposes: Iterable[str]) -> None:
    """Unused tokens of these people stop working, and mails that would carry them stay here."""
    await conn.execute(
        """
        WITH voided AS (
            UPDATE mailed_tokens SET voided_at = now()
             WHERE user_id = ANY($1) AND purpose = ANY($2)
               AND used_at IS NULL AND voided_at IS NULL
            RETURNING mail_id
        )
        UPDATE mails SET status = 'cancelled'
          FROM voided
         WHERE mails.id = voided.mail_id AND status IN ('queued', 'sending')
        """,
        list(users),
        list(purposes),
    )


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to write to. `email`: where it is confirmed. `needs_link`: no link was made yet."""

    user_id: UUID
    key: PersonalKey
    display_name: str | None = field(repr=False)
    email: str | None = field(repr=False)
    needs_link: bool
    created_at: datetime


async def recipients(conn: Connection, users: Iterable[UUID]) -> dict[UUID, Recipient]:
    """Those of these people who were not erased, nor are before this transaction ends."""
    rows = await conn.fetch(
        """
        SELECT users.id, secret, display_name, users.created_at,
               CASE WHEN email_confirmed_at IS NOT NULL THEN email END AS email,
               email_confirmed_at IS NULL AND superseded_at IS NULL
               AND NOT EXISTS (
                   SELECT FROM mailed_tokens WHERE user_id = users.id AND purpose = $2
               ) AS needs_link
          FROM users CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE users.id = ANY($1) AND erased_at IS NULL
         ORDER BY users.id
           FOR KEY SHARE OF users
        """,
        list(users),
        VERIFY,
    )
    return {
        row["id"]: Recipient(
            row["id"],
            PersonalKey(user_key_id(row["id"]), row["secret"]),
            row["display_name"],
            row["email"],
            row["needs_link"],
            row["created_at"],
        )
        for row in rows
    }


async def owners(conn: Connection, address_hashes: Iterable[str]) -> dict[str, UUID]:
    """Who has verified these addresses."""
    rows = await conn.fetch(
        """
        SELECT address_hash, id FROM users
         WHERE address_hash = ANY($1) AND email_confirmed_at IS NOT NULL AND erased_at IS NULL
        """,
        list(address_hashes),
    )
    return {row["address_hash"]: row["id"] for row in rows}


async def take_mail_requests(
    conn: Connection, event_ids: Iterable[UUID]
) -> dict[tuple[UUID, str], str]:
    """Of these events, by id and type, what the slice that emitted them wrote.

    Whoever takes a request is the last to see it.
    """
    rows = await conn.fetch(
        "DELETE FROM mail_requests WHERE event_id = ANY($1) RETURNING event_id, type, payload",
        list(event_ids),
    )
    return {(row["event_id"], row["type"]): row["payload"] for row in rows}


async def recovered(conn: Connection, event_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these events that were published before the database was restored."""
    rows = await conn.fetch("SELECT id FROM recovered_events WHERE id = ANY($1)", list(event_ids))
    return {row["id"] for row in rows}


async def farewells(conn: Connection, users: Iterable[UUID]) -> dict[UUID, Recipient]:
    """Those of these erased users whose mail about it is still to be sent."""
    rows = await conn.fetch(
        "SELECT user_id, secret, email, created_at FROM farewells WHERE user_id = ANY($1)",
        list(users),
    )
    found = {}
    for row in rows:
        user_id = row["user_id"]
        key = PersonalKey(f"farewell:{user_id}", row["secret"])
        email = str(key.decrypt(row["email"]))
        found[user_id] = Recipient(
            user_id, key, None, email, needs_link=False, created_at=row["created_at"]
        )
    return found


async def notified_lately(conn: Connection, users: Iterable[UUID], template: str) -> set[UUID]:
    """Who was sent so many mails of a kind within the hour that one more would say nothing new."""
    rows = await conn.fetch(
        """
        SELECT user_id FROM mails
         WHERE user_id = ANY($1) AND template = $2 AND created_at > now() - interval '1 hour'
         GROUP BY user_id
        HAVING count(*) >= $3
        """,
        list(users),
        template,
        MAX_ALIKE_AN_HOUR,
    )
    return {row["user_id"] for row in rows}
