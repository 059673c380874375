"""The SQL of changes of address that are undone by whoever reads the former address."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from infra.postgres.pool import Connection
from workers.accounts.rules import MailedToken
from workers.accounts.store import ACCOUNT, STANDS, Locked, locked

CHANGED = "email_changed"
"""The purpose of tokens that are mailed to a former address when it is left."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of address of which the former address was informed.

    `address` is that address under the key of its user; `token` tells whether it can be undone.
    """

    user: Locked
    token: MailedToken
    created_at: datetime
    address: str = field(repr=False)


async def find_change(conn: Connection, token_hash: bytes, *, lock: bool) -> Change | None:
    """The change that a token undoes, with its user as it is now; None for any other token."""
    row = await conn.fetchrow(
        f"""
        SELECT {ACCOUNT}, address, personal_keys.secret, mailed_tokens.created_at,
               used_at IS NULL AND voided_at IS NULL AS usable, expires_at <= now() AS expired
          FROM mailed_tokens
          JOIN users ON users.id = user_id
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE token_hash = $1 AND purpose = $2 AND address IS NOT NULL
           AND {STANDS}
           {"FOR NO KEY UPDATE OF users" if lock else ""}
        """,  # noqa: S608  # constants
        token_hash,
        CHANGED,
    )
    if row is None:
        return None
    token = MailedToken(usable=row["usable"], expired=row["expired"])
    return Change(locked(row), token, row["created_at"], row["address"])


async def hold_address(conn: Connection, address_hash: str, user_id: UUID) -> bool:
    """Nobody else moves to the address before this transaction ends. Returns whether it is free.

    All its sign-ups and the user are locked in id order, so that nobody can deadlock.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", address_hash)
    rows = await conn.fetch(
        """
        SELECT id, email_confirmed_at IS NOT NULL AND erased_at IS NULL AS owns
          FROM users
         WHERE address_hash = $1 OR id = $2
         ORDER BY id
           FOR NO KEY UPDATE
        """,
        address_hash,
        user_id,
    )
    return not any(row["owns"] for row in rows if row["id"] != user_id)


async def give_back(
    conn: Connection, user_id: UUID, *, email: str, address_hash: str, password_hash: str
) -> None:
    """The address and a new password; the sign-ups that the user's confirmation ended go along."""
    await conn.execute(
        """
        WITH ended AS (
            UPDATE users AS ended
               SET address_hash = $3
              FROM users AS person
             WHERE person.id = $1 AND ended.address_hash = person.address_hash
               AND ended.superseded_at IS NOT NULL
        )
        UPDATE users
           SET email = $2, address_hash = $3, password_hash = $4, email_confirmed_at = now(),
               version = version + 1, updated_at = now()
         WHERE id = $1
        """,
        user_id,
        email,
        address_hash,
        password_hash,
    )


async def use_token(conn: Connection, change: Change, token_hash: bytes) -> None:
    """It is used; no other link of the user works but those that undo an earlier change.

    Whoever reads a later address cannot take the account from one who read an earlier one.
    """
    await conn.execute(
        """
        WITH used AS (
            UPDATE mailed_tokens SET used_at = now() WHERE token_hash = $1
        )
        UPDATE mailed_tokens SET voided_at = now()
         WHERE user_id = $2 AND token_hash <> $1 AND used_at IS NULL AND voided_at IS NULL
           AND (purpose <> $3 OR created_at >= $4)
        """,
        token_hash,
        change.user.account.user_id,
        CHANGED,
        change.created_at,
    )
