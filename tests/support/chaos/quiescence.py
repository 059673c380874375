"""When what had been asked by now has come to its end, while more is being asked.

Each step waits for what was there when it began: commands are handled, the events of their
transactions are published, those events are handled, the mails that they caused are sent.
"""

import asyncio
from collections.abc import Mapping

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from contracts.topics import TOPICS, Topic
from infra.postgres.pool import UNAVAILABLE
from tests.support.chaos.observations import Place, Reading
from tests.support.e2e.broker_view import BrokerState
from tests.support.stack import Stack
from tests.support.waiting import eventually

QUIESCENCE_SECONDS = 180.0
EVERY_SECONDS = 0.5
COMMANDS = [topic for topic in TOPICS if topic.name.endswith(".commands")]
EVENTS = [topic for topic in TOPICS if topic.name.endswith(".events")]
LAST_OF_OUTBOX = "SELECT last_value FROM outbox_seq"
NOW = "SELECT now()"


class Quiescence:
    """Waits for it. Raises `AssertionError` when it does not come."""

    def __init__(self, stack: Stack, reading: Reading) -> None:
        self._stack = stack
        self._reading = reading

    async def come(self, broker_state: BrokerState) -> None:
        await self._handled(COMMANDS, broker_state)
        await self._nothing_left("outbox", "published_at IS NULL AND seq <= $1", LAST_OF_OUTBOX)
        await self._handled(EVENTS, broker_state)
        await self._nothing_left(
            "mails", "status IN ('queued', 'sending') AND created_at <= $1", NOW
        )

    async def _handled(self, topics: list[Topic], broker_state: BrokerState) -> None:
        """Every consumer has committed what lies in these topics now."""
        readers = {topic.name: [c.group for c in topic.consumers] for topic in topics}
        ends: Mapping[Place, int] = {}

        async def all_committed() -> bool:
            nonlocal ends
            try:
                ends = ends or await self._reading.ends(readers)
                committed = await asyncio.to_thread(broker_state.committed)
            except (KafkaError, KafkaException, TimeoutError):
                return False
            return all(
                committed.get((group, place), 0) >= end
                for place, end in ends.items()
                for group in readers[place[0]]
                if end
            )

        what = f"{', '.join(readers)} handled"
        await eventually(all_committed, seconds=QUIESCENCE_SECONDS, what=what, every=EVERY_SECONDS)

    async def _nothing_left(self, table: str, condition: str, mark: str) -> None:
        """No such row from before now."""
        before: object = None

        async def none_left() -> bool:
            nonlocal before
            try:
                async with self._stack.postgres() as conn:
                    before = before or await conn.fetchval(mark)
                    query = f"SELECT EXISTS (SELECT FROM {table} WHERE {condition})"
                    return not await conn.fetchval(query, before)
            except UNAVAILABLE:
                return False

        what = f"nothing left in {table}"
        await eventually(none_left, seconds=QUIESCENCE_SECONDS, what=what, every=EVERY_SECONDS)
