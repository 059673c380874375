"""What of a record is shown to the user whom it is about: nothing personal, nothing unknown."""

from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from pydantic import ValidationError

from contracts.events import QuoteUpdated, WatchlistItemAdded, WatchlistItemRemoved
from contracts.message import Message
from contracts.personal import Personal
from contracts.topics import MESSAGES
from infra.kafka.records import Record
from infra.messaging.record_reader import parse

_WANTED = ("ce_id", "ce_type", "ce_time")


@dataclass(frozen=True, slots=True)
class Event:
    """A record that is an event; its data unread until somebody is to see it."""

    topic: str
    offset: int
    timestamp: int
    key: bytes
    id: str
    type: str
    time: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What an own event does to the watchlist."""

    symbol: str
    followed: bool


def event_of(record: Record) -> Event | None:
    """None for what is no event at all: the audit log sets that aside."""
    if record.key is None or record.value is None:
        return None
    headers = {name: value for name, value in record.headers if name in _WANTED and value}
    try:
        id_, type_, time = (headers[name].decode() for name in _WANTED)
    except (KeyError, UnicodeDecodeError):
        return None
    return Event(
        topic=record.topic,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        id=id_,
        type=type_,
        time=time,
        value=record.value,
    )


def displayed(event: Event) -> dict[str, Any]:
    """Id, type and time of any event; of the data what its type is known to have in clear."""
    return {"id": event.id, "type": event.type, "time": event.time, "data": _data(event)}


def change_of(event: Event) -> Change | None:
    match _parsed(event):
        case WatchlistItemAdded(symbol=symbol):
            return Change(symbol, followed=True)
        case WatchlistItemRemoved(symbol=symbol):
            return Change(symbol, followed=False)
    return None


def update_of(event: Event) -> QuoteUpdated | None:
    """The new price, of an event that reports one."""
    parsed = _parsed(event) if event.type == QuoteUpdated.type else None
    return parsed if isinstance(parsed, QuoteUpdated) else None


def update_displayed(update: QuoteUpdated) -> dict[str, Any]:
    return update.model_dump(mode="json", exclude=_personal(QuoteUpdated))


def _data(event: Event) -> dict[str, Any]:
    parsed = _parsed(event)
    if parsed is None:
        return {}
    # A newer producer's value of an enumeration is no reason for a warning.
    return parsed.model_dump(mode="json", exclude=_personal(type(parsed)), warnings=False)


def _parsed(event: Event) -> Message | None:
    model = MESSAGES.get(event.type)
    try:
        return parse(model, event.value) if model else None
    except ValidationError:
        return None


@cache
def _personal(model: type[Message]) -> set[str]:
    """The fields that are encrypted under the user's key, which the gateway does not have."""
    return {name for name, f in model.model_fields.items() if _mentions(f.annotation, Personal)}


def _mentions(annotation: Any, wanted: type) -> bool:
    return annotation is wanted or any(_mentions(each, wanted) for each in get_args(annotation))
