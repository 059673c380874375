"""Builders of dead letters."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

from contracts.commands import RemoveFromWatchlist
from contracts.message import Message
from infra.messaging.dead_letters import PREFIX
from operations.dead_letters.topic import BOXES, DeadLetter
from operations.record_producer import Copy, Sender
from tests.support.message_builders import a_record, an_envelope

WATCHLIST = BOXES["watchlist.commands.watchlist"]
FAILED_AT = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)

_offsets = count()


def a_letter(
    data: Message | bytes | None = None,
    *,
    dlq_topic: str = WATCHLIST.name,
    reason: str = "a bug",
    failed_at: datetime = FAILED_AT,
    **more: str,
) -> DeadLetter:
    """A command of somebody's, set aside by the watchlist's consumer if nothing else is said."""
    message = RemoveFromWatchlist(symbol="AAPL") if data is None else data
    envelope = an_envelope(RemoveFromWatchlist, actor=uuid4(), fingerprint="of its body")
    where = BOXES[dlq_topic]
    record = a_record(message, envelope=envelope, topic=where.dead_letters)
    about = {
        "reason": reason,
        "attempts": "3",
        "first_failure": failed_at.isoformat(),
        "last_failure": failed_at.isoformat(),
        "topic": where.topic.name,
        "partition": "4",
        "offset": "1042",
        **more,
    }
    record.offset = next(_offsets)
    record.headers = [
        *record.headers,
        *((PREFIX + name, value.encode()) for name, value in about.items()),
    ]
    return DeadLetter.of(where, record)


class MemorySender(Sender):
    """Records as the broker would have acknowledged them."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Copy]] = []

    async def send(self, topic: str, copies: Iterable[Copy]) -> None:
        self.sent += [(topic, copy) for copy in copies]

    def to(self, topic: str) -> list[Copy]:
        return [copy for name, copy in self.sent if name == topic]
