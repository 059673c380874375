"""The SQL of sign-ups that are confirmed.

Whoever confirms one holds the locks of all rows of its address, taken in id order.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.personal_data_keys import user_key_id
from infra.postgres.pool import Connection
from workers.accounts.confirmation.rules import SignUp, SignUpLink

VERIFY = "verify"
"""The purpose of the tokens that are mailed to confirm a sign-up."""


async def find_sign_ups(conn: Connection, token_hash: bytes, *, lock: bool) -> list[SignUp]:
    """The sign-up that a token was mailed for and all others of its address, in id order."""
    rows = await conn.fetch(
        f"""
        SELECT users.id, email, password_hash, signup_secret_hash, email_confirmed_at,
               superseded_at IS NOT NULL OR erased_at IS NOT NULL AS ended, personal_keys.secret
          FROM users
          LEFT JOIN LATERAL user_key(users.id) AS personal_keys (secret) ON true
         WHERE address_hash = (
                   SELECT address_hash
                     FROM mailed_tokens JOIN users ON users.id = user_id
                    WHERE token_hash = $1 AND purpose = $2
               )
         ORDER BY users.id
           {"FOR NO KEY UPDATE OF users" if lock else ""}
        """,  # noqa: S608  # one of two constants
        token_hash,
        VERIFY,
    )
    return [
        SignUp(
            row["id"],
            row["email"],
            row["password_hash"],
            row["signup_secret_hash"],
            PersonalKey(user_key_id(row["id"]), row["secret"]) if row["secret"] else None,
            row["email_confirmed_at"],
            ended=row["ended"],
        )
        for row in rows
    ]


async def find_link(conn: Connection, token_hash: bytes) -> SignUpLink | None:
    """A token of a sign-up, as it stands at this moment of the database's clock."""
    row = await conn.fetchrow(
        """
        SELECT user_id, used_at IS NOT NULL AS used, voided_at IS NOT NULL AS voided,
               expires_at <= now() AS expired
          FROM mailed_tokens
         WHERE token_hash = $1 AND purpose = $2
        """,
        token_hash,
        VERIFY,
    )
    return SignUpLink(**row) if row else None


async def confirm(conn: Connection, user_id: UUID, token_hash: bytes) -> datetime:
    """The address is this user's, and the link is used. Returns when, by the database's clock."""
    await conn.execute("UPDATE mailed_tokens SET used_at = now() WHERE token_hash = $1", token_hash)
    at: datetime = await conn.fetchval(
        """
        UPDATE users
           SET email_confirmed_at = now(), signup_secret_hash = NULL, version = version + 1,
               updated_at = now()
         WHERE id = $1
        RETURNING email_confirmed_at
        """,
        user_id,
    )
    return at


async def end_others(conn: Connection, user_id: UUID, others: Iterable[UUID]) -> None:
    """Sign-ups that this confirmation ends; no other link to the address works any more."""
    ended = list(others)
    await conn.execute(
        """
        WITH ended AS (
            UPDATE users SET superseded_at = now(), updated_at = now() WHERE id = ANY($2)
        )
        UPDATE mailed_tokens SET voided_at = now()
         WHERE (user_id = $1 OR user_id = ANY($2)) AND purpose = $3
           AND used_at IS NULL AND voided_at IS NULL
        """,
        user_id,
        ended,
        VERIFY,
    )
