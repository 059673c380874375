"""Records, principals and streams for the tests beside."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from contracts.envelope import Envelope, Headers
from contracts.events import QuoteUpdated, WatchlistItemAdded, WatchlistItemRemoved
from contracts.ids import uuid7
from contracts.message import Event
from contracts.personal import Personal, PersonalKey
from contracts.topics import CARRIED_BY, QUOTES_EVENTS
from gateway.stream.hub import Hub
from gateway.stream.positions import OWN, places_of
from infra.kafka.records import Place
from infra.security.access_tokens import Principal

START = 100


@dataclass
class ARecord:
    """As aiokafka gives them."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int = 0


@dataclass
class Log:
    """Partitions that grow."""

    ends: dict[Place, int] = field(default_factory=dict)

    def record(self, event: Event, key: str, *, id_: UUID | None = None) -> ARecord:
        topic = CARRIED_BY[type(event)].name
        partition = next((n for t, n in places_of(UUID(key)) if t == topic), 0) if is_id(key) else 0
        offset = self.ends.get((topic, partition), START)
        self.ends[topic, partition] = offset + 1
        secret = PersonalKey(f"user:{uuid4()}", b"k" * 32)
        value = event.model_dump_json(context={"personal": secret}).encode()
        headers: list[tuple[str, bytes | None]] = [*headers_of(event, id_ or uuid7())]
        at = int(time.time() * 1_000) + offset
        return ARecord(topic, partition, offset, key.encode(), value, headers, at)


def headers_of(event: Event, id_: UUID) -> Headers:
    return Envelope(
        id=id_, source="urn:qnt9:test", type=event.type, time=datetime.now(UTC)
    ).to_headers()


def is_id(key: str) -> bool:
    return len(key) == len(str(uuid4()))


def a_principal(*, seconds: int = 600) -> Principal:
    return Principal(
        user_id=uuid4(),
        session_id=uuid4(),
        tier="free",
        verified=True,
        permissions=(),
        version=1,
        expires_at=int(time.time()) + seconds,
    )


def a_hub(*, most: int = 10, most_of_one: int = 2) -> Hub:
    """Ready, with every partition at the start."""
    hub = Hub(most=most, most_of_one=most_of_one)
    places = [(t.name, n) for t in (*OWN, QUOTES_EVENTS) for n in range(t.partitions)]
    hub.begin(dict.fromkeys(places, START), dict.fromkeys(places, START))
    return hub


def added(user: UUID, symbol: str = "SAP.DE") -> WatchlistItemAdded:
    return WatchlistItemAdded(user_id=user, symbol=symbol, note=Personal("a secret note"))


def removed(user: UUID, symbol: str = "SAP.DE") -> WatchlistItemRemoved:
    return WatchlistItemRemoved(user_id=user, symbol=symbol)


def a_price(price: str, minute: int, symbol: str = "SAP.DE") -> QuoteUpdated:
    as_of = datetime(2026, 11, 3, 9, minute, tzinfo=UTC)
    return QuoteUpdated(symbol=symbol, price=price, currency="EUR", as_of=as_of, source="sandbox")


def take(hub: Hub, *records: ARecord) -> None:
    for record in records:
        hub.take((record.topic, record.partition), [record])
