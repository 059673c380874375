"""The SQL of people and their tokens; that of mails is in `mails.py`.

Whoever changes tokens of an address holds the locks of all its rows, taken in id order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.personal_data_keys import user_key_id
from infra.postgres.pool import Connection
from workers.notifications.rules import VERIFY
from workers.verification.rules import CONFIRMING, Person, Token


async def lock_users(conn: Connection, address_hash: str, also: UUID | None = None) -> list[Person]:
    """Every sign-up of an address and one more person, in id order so that nobody can deadlock."""
    rows = await conn.fetch(
        """
        SELECT users.id, email, display_name, email_confirmed_at, superseded_at, erased_at,
               users.created_at, personal_keys.secret
          FROM users
          LEFT JOIN LATERAL user_key(users.id) AS personal_keys (secret) ON true
         WHERE address_hash = $1 OR users.id = $2
         ORDER BY users.id
           FOR NO KEY UPDATE OF users
        """,
        address_hash,
        also,
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


@dataclass(frozen=True, slots=True)
class Link:
    """Where a token was mailed to; whether it still works is for `find_token` to say."""

    user_id: UUID
    purpose: str
    email: str = field(repr=False)
    session_id: UUID | None = None


async def find_link(conn: Connection, token_hash: bytes) -> Link | None:
    """Of a token that confirms the address it was mailed to; None where that cannot be read."""
    row = await conn.fetchrow(
        """
        SELECT mails.user_id, purpose, parameters, secret, session_id
          FROM mailed_tokens
          JOIN mails ON mails.id = mail_id
          CROSS JOIN LATERAL user_key(mails.user_id) AS personal_keys (secret)
         WHERE token_hash = $1 AND purpose = ANY($2)
        """,
        token_hash,
        CONFIRMING,
    )
    if row is None:
        return None
    key = PersonalKey(user_key_id(row["user_id"]), row["secret"])
    email = key.decrypt(row["parameters"])["to"]
    return Link(row["user_id"], row["purpose"], email, row["session_id"])


async def find_token(conn: Connection, token_hash: bytes) -> Token | None:
    """As it stands once its address is locked."""
    row = await conn.fetchrow(
        """
        SELECT user_id, purpose, used_at IS NOT NULL, voided_at IS NOT NULL, expires_at <= now()
          FROM mailed_tokens
         WHERE token_hash = $1
        """,
        token_hash,
    )
    return Token(*row) if row else None


async def hold_address(conn: Connection, address_hash: str) -> None:
    """Nobody else moves to the address before this transaction ends, also where it has no row."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", address_hash)


async def move(conn: Connection, user_id: UUID, *, email: str, address_hash: str) -> datetime:
    """To another address, confirmed now.

    The sign-ups that this person's first confirmation ended go along, so that erasing finds them.
    """
    at: datetime = await conn.fetchval(
        """
        WITH ended AS (
            UPDATE users AS ended
               SET address_hash = $3
              FROM users AS person
             WHERE person.id = $1 AND person.email_confirmed_at IS NOT NULL
               AND ended.address_hash = person.address_hash AND ended.superseded_at IS NOT NULL
        )
        UPDATE users
           SET email = $2, address_hash = $3, email_confirmed_at = now(),
               version = version + 1, updated_at = now()
         WHERE id = $1
        RETURNING email_confirmed_at
        """,
        user_id,
        email,
        address_hash,
    )
    return at


async def end_sessions(conn: Connection, user_id: UUID, keep: UUID | None) -> list[UUID]:
    """Every open session of a user but one. Returns those that this ended."""
    rows = await conn.fetch(
        """
        UPDATE sessions SET ended_at = now()
         WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND ended_at IS NULL
        RETURNING id
        """,
        user_id,
        keep,
    )
    return [row["id"] for row in rows]


async def use_token(conn: Connection, token_hash: bytes) -> None:
    """Mark a token as used; it works once."""
    await conn.execute("UPDATE mailed_tokens SET used_at = now() WHERE token_hash = $1", token_hash)


async def supersede(conn: Connection, users: Sequence[UUID]) -> None:
    """Sign-ups that somebody else's verification ended."""
    await conn.execute(
        "UPDATE users SET superseded_at = now(), updated_at = now() WHERE id = ANY($1)", users
    )


async def sign_up_client(conn: Connection, user_id: UUID, key: PersonalKey) -> str | None:
    """From where somebody signed up, as the first mail about it said."""
    parameters = await conn.fetchval(
        "SELECT parameters FROM mails WHERE user_id = $1 AND template = $2 ORDER BY id LIMIT 1",
        user_id,
        VERIFY,
    )
    client: str | None = key.decrypt(parameters).get("client") if parameters else None
    return client
