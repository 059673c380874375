"""The SQL of accounts."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from asyncpg import Record

from contracts.personal import PersonalKey
from infra.postgres.personal_keys import user_key_id
from infra.postgres.pool import Connection, Pool
from workers.accounts.rules import Account


@dataclass(frozen=True, slots=True)
class Locked:
    """An account, and the key of that user's personal data."""

    account: Account
    key: PersonalKey


async def find_account(pool: Pool, address_hash: str) -> Account | None:
    """The verified user of an address, else whoever signed up with it last."""
    row = await pool.fetchrow(
        """
        SELECT id, password_hash, tier, permissions, version,
               email_confirmed_at IS NOT NULL AS verified
          FROM users
         WHERE address_hash = $1 AND superseded_at IS NULL AND erased_at IS NULL
         ORDER BY email_confirmed_at IS NOT NULL DESC, created_at DESC, id DESC
         LIMIT 1
        """,
        address_hash,
    )
    return _account(row) if row else None


async def lock_account(conn: Connection, checked: Account) -> Locked | None:
    """The account as it is now, locked so that events about it have one order.

    None when it has ended, or has another password hash than the one that was checked.
    """
    row = await conn.fetchrow(
        """
        SELECT users.id, password_hash, tier, permissions, version,
               email_confirmed_at IS NOT NULL AS verified, personal_keys.secret
          FROM users
          JOIN personal_keys ON personal_keys.id = 'user:' || users.id
         WHERE users.id = $1 AND password_hash IS NOT DISTINCT FROM $2
           AND superseded_at IS NULL AND erased_at IS NULL
           FOR NO KEY UPDATE OF users
        """,
        checked.user_id,
        checked.password_hash,
    )
    if row is None:
        return None
    return Locked(_account(row), PersonalKey(user_key_id(checked.user_id), row["secret"]))


async def renew_password_hash(conn: Connection, user_id: UUID, password_hash: str) -> None:
    """The same password, hashed with today's parameters."""
    await conn.execute(
        "UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1",
        user_id,
        password_hash,
    )


async def insert_session(
    conn: Connection,
    session_id: UUID,
    *,
    user_id: UUID,
    token_hash: bytes,
    lifetime: timedelta,
) -> None:
    """A session, and the first refresh token of its family."""
    await conn.execute(
        """
        WITH session AS (
            INSERT INTO sessions (id, user_id) VALUES ($1, $2) RETURNING id
        )
        INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
        SELECT $3, id, now() + $4 FROM session
        """,
        session_id,
        user_id,
        token_hash,
        lifetime,
    )


def _account(row: Record) -> Account:
    return Account(
        row["id"],
        row["password_hash"],
        row["tier"],
        verified=row["verified"],
        permissions=tuple(row["permissions"]),
        version=row["version"],
    )
