"""Messages that wait as dead letters, as rows: their status says so, and they count as known."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from contracts.envelope import Envelope
from contracts.personal import PersonalKey
from infra.messaging.dead_letter_owner import ERASED, Owners
from infra.postgres.personal_data_keys import user_key_id
from infra.postgres.pool import Pool


class DeadLetterStatus:
    """Those of one consumer."""

    def __init__(self, pool: Pool, consumer: str) -> None:
        self._pool = pool
        self._consumer = consumer

    async def mark_all_dead_lettered(self, parked: Sequence[tuple[Envelope, str]]) -> None:
        """Remember that these messages wait as dead letters, and why each does."""
        async with self._pool.acquire() as conn:
            await conn.execute(
                """
                INSERT INTO parked_commands (command_id, consumer, type, actor_id, reason)
                SELECT id, $1, type, actor_id, reason
                  FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[])
                    AS parked (id, type, actor_id, reason)
                 ORDER BY id
                    ON CONFLICT DO NOTHING
                """,
                self._consumer,
                [envelope.id for envelope, _ in parked],
                [envelope.type for envelope, _ in parked],
                [envelope.actor_id for envelope, _ in parked],
                [reason for _, reason in parked],
            )

    async def owners(self, users: Iterable[UUID]) -> Owners:
        """Those of the users that there are or were, with the keys of their dead letters."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch("SELECT user_id, secret FROM dead_letter_keys($1)", list(users))
        return {
            row["user_id"]: PersonalKey(user_key_id(row["user_id"]), row["secret"])
            if row["secret"]
            else ERASED
            for row in rows
        }
