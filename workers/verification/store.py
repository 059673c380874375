"""The SQL of people and their tokens; that of mails is in `mails.py`.

Whoever changes tokens of an address holds the locks of all its rows, taken in id order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.personal_keys import user_key_id
from infra.postgres.pool import Connection
from workers.verification.rules import RESEND_INTERVAL, VERIFY, Person, Token


async def lock_people(conn: Connection, address_hash: str) -> list[Person]:
    """Every sign-up of an address, locked in id order so that nobody can deadlock."""
    rows = await conn.fetch(
        """
        SELECT users.id, email, display_name, email_confirmed_at, superseded_at, erased_at,
               users.created_at, personal_keys.secret
          FROM users
          LEFT JOIN personal_keys ON personal_keys.id = 'user:' || users.id
         WHERE address_hash = $1
         ORDER BY users.id
           FOR NO KEY UPDATE OF users
        """,
        address_hash,
    )
    return [
        Person(
            row["id"],
            row["email"],
            row["display_name"],
            PersonalKey(user_key_id(row["id"]), row["secret"]) if row["secret"] else None,
            row["created_at"],
            row["email_confirmed_at"],
            superseded=row["superseded_at"] is not None,
            erased=row["erased_at"] is not None,
        )
        for row in rows
    ]


async def lock_people_of_token(conn: Connection, token_hash: bytes) -> list[Person]:
    """Every sign-up of the address that a token was mailed to; none for an unknown token."""
    address: str | None = await conn.fetchval(
        """
        SELECT address_hash
          FROM mailed_tokens JOIN users ON users.id = user_id
         WHERE token_hash = $1 AND purpose = $2
        """,
        token_hash,
        VERIFY,
    )
    return await lock_people(conn, address) if address else []


async def find_token(conn: Connection, token_hash: bytes) -> Token | None:
    """As it stands once its address is locked."""
    row = await conn.fetchrow(
        """
        SELECT user_id, used_at IS NOT NULL, voided_at IS NOT NULL, expires_at <= now()
          FROM mailed_tokens
         WHERE token_hash = $1 AND purpose = $2
        """,
        token_hash,
        VERIFY,
    )
    return Token(*row) if row else None


async def confirm(conn: Connection, user_id: UUID) -> datetime:
    """When, by the clock of the database."""
    at: datetime = await conn.fetchval(
        """
        UPDATE users
           SET email_confirmed_at = now(), version = version + 1, updated_at = now()
         WHERE id = $1
        RETURNING email_confirmed_at
        """,
        user_id,
    )
    return at


async def use_token(conn: Connection, token_hash: bytes) -> None:
    await conn.execute("UPDATE mailed_tokens SET used_at = now() WHERE token_hash = $1", token_hash)


async def supersede(conn: Connection, users: Sequence[UUID]) -> None:
    """Sign-ups that somebody else's verification ended."""
    await conn.execute(
        "UPDATE users SET superseded_at = now(), updated_at = now() WHERE id = ANY($1)", users
    )


async def void_links(conn: Connection, users: Sequence[UUID]) -> None:
    """Unused tokens of these people stop working, and mails that would carry them stay here."""
    await conn.execute(
        """
        WITH voided AS (
            UPDATE mailed_tokens SET voided_at = now()
             WHERE user_id = ANY($1) AND purpose = $2 AND used_at IS NULL AND voided_at IS NULL
            RETURNING mail_id
        )
        UPDATE mails SET status = 'cancelled'
          FROM voided
         WHERE mails.id = voided.mail_id AND status IN ('queued', 'sending')
        """,
        users,
        VERIFY,
    )


async def asked_lately(conn: Connection, address_hash: str) -> bool:
    """Whether a mail to this address was asked for within the last minute."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM mails JOIN users ON users.id = mails.user_id
             WHERE address_hash = $1 AND on_request AND mails.created_at > now() - $2::interval
        )
        """,
        address_hash,
        RESEND_INTERVAL,
    )
    return found


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to write to. `needs_link`: unverified, and no link was made yet."""

    key: PersonalKey
    display_name: str | None = field(repr=False)
    needs_link: bool


async def recipients(conn: Connection, users: Sequence[UUID]) -> dict[UUID, Recipient]:
    """Those of these people who were not erased."""
    rows = await conn.fetch(
        """
        SELECT users.id, secret, display_name,
               email_confirmed_at IS NULL AND superseded_at IS NULL
               AND NOT EXISTS (
                   SELECT FROM mailed_tokens WHERE user_id = users.id AND purpose = $2
               ) AS needs_link
          FROM users JOIN personal_keys ON personal_keys.id = 'user:' || users.id
         WHERE users.id = ANY($1) AND erased_at IS NULL
        """,
        users,
        VERIFY,
    )
    return {
        row["id"]: Recipient(
            PersonalKey(user_key_id(row["id"]), row["secret"]),
            row["display_name"],
            row["needs_link"],
        )
        for row in rows
    }
