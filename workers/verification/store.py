"""The SQL of verification: people of one address, tokens, mails to be sent.

Whoever changes tokens of an address holds the locks of all its rows, taken in id order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.personal_keys import user_key_id
from infra.postgres.pool import Connection
from workers.verification.messages import Draft
from workers.verification.rules import RESEND_INTERVAL, TOKEN_LIFETIME, VERIFY, Person, Token


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
    await conn.execute(
        "UPDATE mailed_tokens SET used_at = now() WHERE token_hash = $1", token_hash
    )


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


async def insert_mails(conn: Connection, drafts: Sequence[Draft]) -> None:
    """Mails to be sent, and the tokens that they will carry."""
    if not drafts:
        return
    await conn.execute(
        """
        WITH draft AS (
            SELECT *
              FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::text[],
                          $7::boolean[], $8::bytea[])
                AS d (id, user_id, template, template_version, message_id, parameters,
                      on_request, token_hash)
        ), queued AS (
            INSERT INTO mails (id, user_id, template, template_version, message_id, parameters,
                               on_request)
            SELECT id, user_id, template, template_version, message_id, parameters, on_request
              FROM draft
        )
        INSERT INTO mailed_tokens (token_hash, mail_id, user_id, purpose, expires_at)
        SELECT token_hash, id, user_id, template, now() + $9::interval
          FROM draft
         WHERE token_hash IS NOT NULL
        """,
        [d.id for d in drafts],
        [d.user_id for d in drafts],
        [d.template for d in drafts],
        [d.template_version for d in drafts],
        [d.message_id for d in drafts],
        [d.parameters for d in drafts],
        [d.on_request for d in drafts],
        [d.token_hash for d in drafts],
        TOKEN_LIFETIME,
    )


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is ours to send until the lease ends.

    `attempts` tells this claim from a later one. `again`: an earlier attempt may have sent it.
    """

    id: UUID
    user_id: UUID
    template: str
    template_version: int
    message_id: str
    parameters: str
    attempts: int
    created_at: datetime
    age: timedelta
    again: bool
    key: PersonalKey | None


async def claim(
    conn: Connection, limit: int, lease: timedelta, in_hand: Iterable[UUID]
) -> list[Claimed]:
    """Due mails that nobody else has, the longest due first."""
    rows = await conn.fetch(
        """
        WITH due AS (
            SELECT id, status = 'sending' AS again
              FROM mails
             WHERE status IN ('queued', 'sending')
               AND next_attempt_at <= now()
               AND (leased_until IS NULL OR leased_until <= now())
               AND id <> ALL($3::uuid[])
             ORDER BY next_attempt_at
             LIMIT $1
               FOR UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE mails
               SET leased_until = now() + $2::interval, attempts = attempts + 1
              FROM due
             WHERE mails.id = due.id
            RETURNING mails.id, user_id, template, template_version, message_id, parameters,
                      attempts, created_at, now() - created_at AS age, again
        )
        SELECT claimed.*, secret
          FROM claimed LEFT JOIN personal_keys ON personal_keys.id = 'user:' || user_id
        """,
        limit,
        lease,
        list(in_hand),
    )
    return [
        Claimed(
            *tuple(row)[:-1],
            key=PersonalKey(user_key_id(row["user_id"]), row["secret"]) if row["secret"] else None,
        )
        for row in rows
    ]


async def mark_sending(conn: Connection, mail: Claimed) -> bool:
    """Whether it may go: still wanted, and still ours."""
    found = await conn.fetchval(
        """
        UPDATE mails SET status = 'sending'
         WHERE id = $1 AND attempts = $2 AND status IN ('queued', 'sending')
           AND leased_until > now()
        RETURNING true
        """,
        mail.id,
        mail.attempts,
    )
    return bool(found)


async def mark_sent(conn: Connection, mail: Claimed) -> None:
    """The server has it, whatever was decided about it meanwhile."""
    await conn.execute(
        """
        UPDATE mails SET status = 'sent', sent_at = now(), leased_until = NULL, last_error = NULL
         WHERE id = $1
        """,
        mail.id,
    )


async def retry_later(
    conn: Connection, mail: Claimed, delay: timedelta, error: str, *, perhaps_sent: bool
) -> None:
    await conn.execute(
        """
        UPDATE mails
           SET status = CASE WHEN $3 THEN 'sending' ELSE 'queued' END,
               next_attempt_at = now() + $4::interval, leased_until = NULL, last_error = $5
         WHERE id = $1 AND attempts = $2 AND status IN ('queued', 'sending')
        """,
        mail.id,
        mail.attempts,
        perhaps_sent,
        delay,
        error,
    )


async def mark_ended(conn: Connection, mail: Claimed, status: str, reason: str) -> bool:
    """Failed or cancelled, unless it came to another end meanwhile: whether it did now."""
    found = await conn.fetchval(
        """
        UPDATE mails SET status = $3, leased_until = NULL, last_error = $4
         WHERE id = $1 AND attempts = $2 AND status IN ('queued', 'sending')
        RETURNING true
        """,
        mail.id,
        mail.attempts,
        status,
        reason,
    )
    return bool(found)


async def lock_user(conn: Connection, user_id: UUID) -> None:
    """So that events about one user have one order."""
    await conn.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", user_id)
