"""The SQL of mails: queued by handlers, claimed by senders. The clock is the database's."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.ids import derived_uuid7, time_of
from contracts.personal import PersonalKey
from infra.postgres.personal_data_keys import user_key_id
from infra.postgres.pool import Connection
from workers.notifications.mail_templates import Draft
from workers.notifications.rules import ERASED


async def insert_mails(conn: Connection, drafts: Sequence[Draft]) -> None:
    """Mails to be sent, and the tokens that they will carry."""
    if not drafts:
        return
    await conn.execute(
        """
        WITH draft AS (
            SELECT *
              FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::text[],
                          $7::boolean[], $8::bytea[], $9::interval[], $10::timestamptz[],
                          $11::text[], $12::uuid[], $13::text[])
                AS d (id, user_id, template, template_version, message_id, parameters,
                      on_request, token_hash, lifetime, due_at, address, session_id, traceparent)
        ), queued AS (
            INSERT INTO mails (id, user_id, template, template_version, message_id, parameters,
                               on_request, next_attempt_at, traceparent)
            SELECT id, user_id, template, template_version, message_id, parameters, on_request,
                   coalesce(due_at, now()), traceparent
              FROM draft
        )
        INSERT INTO mailed_tokens (token_hash, mail_id, user_id, purpose, expires_at, address,
                                   session_id)
        SELECT token_hash, id, user_id, template, now() + lifetime, address, session_id
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
        [d.lifetime for d in drafts],
        [d.due_at for d in drafts],
        [d.address for d in drafts],
        [d.session_id for d in drafts],
        [d.traceparent for d in drafts],
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
    traceparent: str | None
    again: bool
    key: PersonalKey | None

    @property
    def failure_id(self) -> UUID:
        """The id of the event that says that it was given up: one for each mail."""
        return derived_uuid7(time_of(self.id), self.id, "failed")


async def claim(
    conn: Connection, limit: int, lease: timedelta, in_hand: Iterable[UUID], *, ended_leases: bool
) -> list[Claimed]:
    """Due mails that nobody else has, the longest due first.

    With `ended_leases`, also such as somebody else had.
    """
    rows = await conn.fetch(
        """
        WITH due AS (
            SELECT id, status = 'sending' AS again
              FROM mails
             WHERE status IN ('queued', 'sending')
               AND next_attempt_at <= now()
               AND (leased_until IS NULL OR leased_until <= now() AND $4)
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
                      attempts, created_at, now() - created_at AS age, traceparent, again
        )
        SELECT claimed.*, coalesce(farewells.secret, personal_keys.secret) AS secret
          FROM claimed
          LEFT JOIN LATERAL user_key(claimed.user_id) AS personal_keys (secret) ON true
          LEFT JOIN farewells ON farewells.user_id = claimed.user_id AND template = 'erased'
        """,
        limit,
        lease,
        list(in_hand),
        ended_leases,
    )
    return [
        Claimed(
            **{name: value for name, value in row.items() if name != "secret"},
            key=_key(row["user_id"], row["template"], row["secret"]),
        )
        for row in rows
    ]


def _key(user_id: UUID, template: str, secret: bytes | None) -> PersonalKey | None:
    if secret is None:
        return None
    return PersonalKey(
        farewell_key_id(user_id) if template == ERASED else user_key_id(user_id), secret
    )


def farewell_key_id(user_id: UUID) -> str:
    """The name of the key under which an erased user's address waits for its last mail."""
    return f"farewell:{user_id}"


async def renew(conn: Connection, lease: timedelta, in_hand: Collection[Claimed]) -> None:
    """Still ours: a server may take its time, or the database have been away beyond the lease.

    Nobody's who claimed it since, nor what was let go.
    """
    await conn.execute(
        """
        WITH held AS (
            SELECT mail.id
              FROM unnest($1::uuid[], $2::int[]) AS claimed (id, attempts)
             CROSS JOIN LATERAL (
                      SELECT id FROM mails
                       WHERE mails.id = claimed.id AND mails.attempts = claimed.attempts
                         AND status IN ('queued', 'sending') AND leased_until IS NOT NULL
                         FOR NO KEY UPDATE
                   ) AS mail
        )
        UPDATE mails SET leased_until = now() + $3::interval
          FROM held
         WHERE mails.id = held.id
        """,
        [mail.id for mail in in_hand],
        [mail.attempts for mail in in_hand],
        lease,
    )


async def mark_sending(conn: Connection, mail: Claimed) -> bool:
    """Whether it may go: still wanted, and still ours. One with a void link is cancelled."""
    found = await conn.fetchval(
        """
        UPDATE mails
           SET status = CASE WHEN EXISTS (
                   SELECT FROM mailed_tokens WHERE mail_id = mails.id AND voided_at IS NOT NULL
               ) THEN 'cancelled' ELSE 'sending' END
         WHERE id = $1 AND attempts = $2 AND status IN ('queued', 'sending')
           AND leased_until > now()
        RETURNING status = 'sending'
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
    await _forget_farewell(conn, mail)


async def _forget_farewell(conn: Connection, mail: Claimed) -> None:
    """The key to an erased user's address goes with the mail for which it was kept."""
    if mail.template == ERASED:
        await conn.execute("DELETE FROM farewells WHERE user_id = $1", mail.user_id)


async def retry_later(
    conn: Connection, mail: Claimed, delay: timedelta, error: str, *, perhaps_sent: bool
) -> None:
    """Put a mail back, due after `delay`, unless it was tried again or ended meanwhile."""
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
    await _forget_farewell(conn, mail)
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
