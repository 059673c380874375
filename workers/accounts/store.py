"""The SQL that sub-slices of accounts share.

Whoever changes a session or its tokens holds the lock of its user's row.
"""

from dataclasses import dataclass
from uuid import UUID

from asyncpg import Record

from contracts.personal import PersonalKey
from infra.postgres.personal_data_keys import user_key_id
from infra.postgres.pool import Connection
from workers.accounts.rules import Account

ACCOUNT = """users.id, password_hash, tier, permissions, version,
               email_confirmed_at IS NOT NULL AS verified, users.email"""
"""The columns of an account, for `account_of`."""
STANDS = "superseded_at IS NULL AND erased_at IS NULL"
"""Of users that are neither erased nor ended by the verification of another sign-up."""


@dataclass(frozen=True, slots=True)
class Locked:
    """An account, and the key of that user's personal data."""

    account: Account
    key: PersonalKey


async def lock_account(conn: Connection, checked: Account) -> Locked | None:
    """The account as it is now, locked so that events about it have one order.

    None when it has ended, or has another password hash than the one that was checked.
    """
    row = await conn.fetchrow(
        f"""
        SELECT {ACCOUNT}, personal_keys.secret
          FROM users
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE users.id = $1 AND password_hash IS NOT DISTINCT FROM $2
           AND {STANDS}
           FOR NO KEY UPDATE OF users
        """,  # noqa: S608  # constants
        checked.user_id,
        checked.password_hash,
    )
    return locked(row) if row else None


def locked(row: Record) -> Locked:
    """Of a row with the columns of an account and the secret of its key."""
    return Locked(account_of(row), PersonalKey(user_key_id(row["id"]), row["secret"]))


def account_of(row: Record) -> Account:
    """Return the account of a row with the columns of `ACCOUNT`."""
    return Account(
        row["id"],
        row["password_hash"],
        row["tier"],
        verified=row["verified"],
        permissions=tuple(row["permissions"]),
        version=row["version"],
        email=row["email"],
    )


async def end_sessions(conn: Connection, user_id: UUID, keep: UUID | None) -> list[UUID]:
    """Those that this ended."""
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
