"""The rows behind `consumer_controls`: who is paused, and what operators have instructed."""

from collections.abc import Sequence

from infra.messaging.consumer_controls import Instruction, Pause
from infra.postgres.pool import Pool


class PostgresControls:
    """Those of one consumer. Row security shows its role no other consumer's."""

    def __init__(self, pool: Pool, consumer: str) -> None:
        self._pool = pool
        self._consumer = consumer

    async def load(self) -> tuple[Pause | None, Sequence[Instruction]]:
        """Whether the consumer is paused, and the instructions to it, the latest first."""
        async with self._pool.acquire() as conn:
            pause = await conn.fetchrow(
                "SELECT reason, paused_at FROM consumer_pauses WHERE consumer = $1", self._consumer
            )
            rows = await conn.fetch(
                """
                SELECT action, topic, partition, first, until, type, key, operator, reason
                  FROM consumer_instructions
                 WHERE consumer = $1
                 ORDER BY id DESC
                """,
                self._consumer,
            )
        instructions = [Instruction(*row) for row in rows]
        if pause is None:
            return None, instructions
        return Pause(pause["reason"], f"{pause['paused_at']:%Y-%m-%d %H:%M:%S} UTC"), instructions

    async def pause(self, reason: str) -> None:
        """Keep that the consumer is paused, and the first reason why."""
        async with self._pool.acquire() as conn:
            await conn.execute(
                """
                INSERT INTO consumer_pauses (consumer, reason) VALUES ($1, $2)
                    ON CONFLICT DO NOTHING
                """,
                self._consumer,
                reason[:500],
            )

    async def resume(self) -> None:
        """Keep that it is not."""
        async with self._pool.acquire() as conn:
            await conn.execute("DELETE FROM consumer_pauses WHERE consumer = $1", self._consumer)
