"""What operators do about users: the first admin is made here, for nobody else could.

Everything an admin's command would leave is left here, too: events in the outbox of the same
transaction, and an announcement to the gateways.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from asyncpg import Record

from contracts.addresses import folded_address
from contracts.events import (
    UserEmailVerified,
    UserPermissionsChanged,
    UserSessionRevoked,
    UserSignedUp,
)
from contracts.ids import uuid7
from contracts.personal import Personal
from contracts.values import Permission
from infra.messaging.transaction import Transaction, Transactions
from infra.postgres.personal_data_keys import make_user_key, user_keys
from infra.postgres.pool import Connection, Pool

MAX_EVENTS = 10
SESSIONS_AT_ONCE = 1_000


class Did(StrEnum):
    """What came of it."""

    CREATED = "created"
    PROMOTED = "promoted"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Admin:
    """A user who is an admin now."""

    id: UUID
    did: Did


async def make_admin(
    transactions: Transactions,
    email: str,
    *,
    address_hash: str,
    password_hash: str | None,
    operator: str,
) -> Admin | None:
    """None when nobody has verified the address, and there is no password to make a user with."""
    async with transactions.begin() as tx:
        users = await _lock_users(tx.conn, address_hash)
        owner = next((each for each in users if each["verified"]), None)
        if owner:
            return await _promote(tx, owner, operator)
        if password_hash is None:
            return None
        for waiting in users:
            await _end_sign_up(tx, waiting["id"])
        user_id = uuid7()
        await _insert_verified(
            tx.conn,
            user_id,
            email=email,
            address_hash=address_hash,
            password_hash=password_hash,
        )
        key = await make_user_key(tx.conn, user_id)
        for event in (
            UserSignedUp(user_id=user_id, email=Personal(email)),
            UserEmailVerified(user_id=user_id, email=Personal(email)),
            _made_admin(user_id, [], operator),
        ):
            tx.emit(event, about=user_id, key=key)
        return Admin(user_id, Did.CREATED)


async def _promote(tx: Transaction, owner: Record, operator: str) -> Admin:
    user_id: UUID = owner["id"]
    former: list[str] = owner["permissions"]
    if Permission.ADMIN in former:
        return Admin(user_id, Did.NOTHING)
    event = _made_admin(user_id, former, operator)
    await tx.conn.execute(
        """
        UPDATE users SET permissions = $2, version = version + 1, updated_at = now()
         WHERE id = $1
        """,
        user_id,
        event.permissions,
    )
    tx.user_changed(user_id)
    tx.emit(event, about=user_id, key=(await user_keys(tx.conn, [user_id]))[user_id])
    return Admin(user_id, Did.PROMOTED)


def _made_admin(user_id: UUID, former: list[str], operator: str) -> UserPermissionsChanged:
    return UserPermissionsChanged(
        user_id=user_id,
        former_permissions=former,
        permissions=sorted({*former, Permission.ADMIN.value}),
        operator=operator,
    )


async def _lock_users(conn: Connection, address_hash: str) -> list[Record]:
    """Every sign-up of an address that has not ended, locked in id order; one operator at a time.

    The lock of the address is for the one that nobody has signed up with.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", address_hash)
    return await conn.fetch(
        """
        SELECT id, permissions, email_confirmed_at IS NOT NULL AS verified
          FROM users
         WHERE address_hash = $1 AND superseded_at IS NULL AND erased_at IS NULL
         ORDER BY id
           FOR NO KEY UPDATE
        """,
        address_hash,
    )


async def _end_sign_up(tx: Transaction, user_id: UUID) -> None:
    """As when somebody else confirms the address: links stop working, mails stay here."""
    await tx.conn.execute(
        """
        WITH ended AS (
            UPDATE users SET superseded_at = now(), updated_at = now() WHERE id = $1
        ), voided AS (
            UPDATE mailed_tokens SET voided_at = now()
             WHERE user_id = $1 AND used_at IS NULL AND voided_at IS NULL
            RETURNING mail_id
        )
        UPDATE mails SET status = 'cancelled'
          FROM voided
         WHERE mails.id = voided.mail_id AND status IN ('queued', 'sending')
        """,
        user_id,
    )
    tx.user_changed(user_id)


async def _insert_verified(
    conn: Connection, user_id: UUID, *, email: str, address_hash: str, password_hash: str
) -> None:
    await conn.execute(
        """
        INSERT INTO users (id, email, address_hash, password_hash, email_confirmed_at, permissions)
        VALUES ($1, $2, $3, $4, now(), $5)
        """,
        user_id,
        email,
        address_hash,
        password_hash,
        [Permission.ADMIN.value],
    )


async def end_sessions(
    transactions: Transactions, user_id: UUID | None, *, begun_before: datetime, operator: str
) -> int:
    """End the open sessions of a user, or with None of everybody, some in each transaction.

    Gateways refuse their access tokens from then on. Returns how many there were.
    """
    ended, rows = 0, SESSIONS_AT_ONCE
    while rows >= SESSIONS_AT_ONCE:
        async with transactions.begin() as tx:
            sessions = await _end_some(tx.conn, user_id, begun_before)
            keys = await user_keys(tx.conn, {row["user_id"] for row in sessions})
            for row in sessions:
                session_id, owner = row["id"], row["user_id"]
                tx.session_ended(session_id)
                event = UserSessionRevoked(
                    user_id=owner, session_id=str(session_id), operator=operator
                )
                tx.emit(event, about=owner, key=keys.get(owner))
        rows = len(sessions)
        ended += rows
    return ended


async def _end_some(conn: Connection, user_id: UUID | None, begun_before: datetime) -> list[Record]:
    return await conn.fetch(
        """
        WITH open AS (
            SELECT id FROM sessions
             WHERE ended_at IS NULL AND created_at < $2 AND ($1::uuid IS NULL OR user_id = $1)
             ORDER BY id
             LIMIT $3
        )
        UPDATE sessions SET ended_at = now()
          FROM open
         WHERE sessions.id = open.id AND ended_at IS NULL
        RETURNING sessions.id, user_id
        """,
        user_id,
        begun_before,
        SESSIONS_AT_ONCE,
    )


async def find(
    pool: Pool, *, email: str | None = None, user_id: UUID | None = None
) -> list[Record]:
    """Users with this address, or this id: the verified one first, then the newest sign-up.

    Other spellings of the address that are the same account's are found, too.
    """
    return await pool.fetch(
        """
        SELECT id, tier, permissions, version, created_at, email_confirmed_at, superseded_at,
               erased_at
          FROM users
         WHERE email = ANY($1) OR lower(email) = ANY($1) OR id = $2
         ORDER BY email_confirmed_at IS NOT NULL DESC, id DESC
        """,
        [email, folded_address(email)] if email else None,
        user_id,
    )


async def open_sessions(pool: Pool, user_id: UUID) -> list[Record]:
    """Where a user is signed in, the most recently used first."""
    return await pool.fetch(
        """
        SELECT id, created_at, last_used_at
          FROM sessions_open
         WHERE user_id = $1
         ORDER BY last_used_at DESC, id DESC
        """,
        user_id,
    )


async def last_events(pool: Pool, user_id: UUID) -> list[Record]:
    """What happened last, the newest first."""
    return await pool.fetch(
        """
        SELECT event_id AS id, action, created_at
          FROM audit_log
         WHERE user_id = $1
         ORDER BY created_at DESC, event_id DESC
         LIMIT $2
        """,
        user_id,
        MAX_EVENTS,
    )
