"""The SQL of passwords, of the links that reset them, and of the end."""

import secrets
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.personal_data_keys import KEY_BYTES
from infra.postgres.pool import Connection, Pool
from workers.accounts.rules import Account, MailedToken
from workers.accounts.store import ACCOUNT, STANDS, Locked, account_of, locked

RESET = "reset"
PURPOSES = (RESET, "email_change")
"""Of mailed tokens: those that a new password makes worthless."""


async def set_password(conn: Connection, user_id: UUID, password_hash: str) -> None:
    """Another password. Links that were mailed before it stop working."""
    await conn.execute(
        """
        WITH changed AS (
            UPDATE users SET password_hash = $2, version = version + 1, updated_at = now()
             WHERE id = $1
        )
        UPDATE mailed_tokens SET voided_at = now()
         WHERE user_id = $1 AND purpose = ANY($3) AND used_at IS NULL AND voided_at IS NULL
        """,
        user_id,
        password_hash,
        PURPOSES,
    )


async def find_mailed_token(conn: Connection, token_hash: bytes) -> MailedToken | None:
    """One that was mailed to reset a password."""
    row = await conn.fetchrow(
        """
        SELECT used_at IS NULL AND voided_at IS NULL AS usable, expires_at <= now() AS expired
          FROM mailed_tokens
         WHERE token_hash = $1 AND purpose = $2
        """,
        token_hash,
        RESET,
    )
    return MailedToken(**row) if row else None


async def lock_recipient(conn: Connection, token_hash: bytes) -> Locked | None:
    """The user whom a token was mailed to, locked."""
    row = await conn.fetchrow(
        f"""
        SELECT {ACCOUNT}, personal_keys.secret
          FROM mailed_tokens
          JOIN users ON users.id = user_id
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE token_hash = $1 AND purpose = $2
           AND {STANDS}
           FOR NO KEY UPDATE OF users
        """,  # noqa: S608  # constants
        token_hash,
        RESET,
    )
    return locked(row) if row else None


async def use_mailed_token(conn: Connection, token_hash: bytes) -> None:
    """Mark a token as used; it works once."""
    await conn.execute("UPDATE mailed_tokens SET used_at = now() WHERE token_hash = $1", token_hash)


async def lock_address(conn: Connection, user_id: UUID) -> None:
    """Every sign-up of a user's address, in id order so that nobody can deadlock."""
    await conn.execute(
        """
        SELECT FROM users
         WHERE address_hash = (SELECT address_hash FROM users WHERE id = $1)
         ORDER BY id
           FOR UPDATE
        """,
        user_id,
    )


async def keep_farewell(conn: Connection, user_id: UUID, email: str) -> None:
    """Where to say that an account is gone, under a key that is removed with the mail."""
    key = PersonalKey(f"farewell:{user_id}", secrets.token_bytes(KEY_BYTES))
    await conn.execute(
        "INSERT INTO farewells (user_id, secret, email) VALUES ($1, $2, $3)",
        user_id,
        key.secret,
        key.encrypt(email),
    )


async def erase(conn: Connection, user_id: UUID) -> list[UUID]:
    """Whom this made forgotten: the user, and the sign-ups that the user's verification ended."""
    rows = await conn.fetch("SELECT erase_user($1) AS id", user_id)
    return [row["id"] for row in rows]


async def find_user(pool: Pool, user_id: UUID) -> Account | None:
    """A user who is neither erased nor ended by somebody else's verification."""
    row = await pool.fetchrow(
        f"SELECT {ACCOUNT} FROM users WHERE id = $1 AND {STANDS}",  # noqa: S608  # constants
        user_id,
    )
    return account_of(row) if row else None
