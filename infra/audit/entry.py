"""What an event becomes in the audit log, for who writes it and for who verifies it. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from uuid import UUID

from contracts.personal import ErasedError, Personal, PersonalKey
from infra.messaging.inbound import InboundMessage, RawEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPARED = ("created_at", "payload", "key", "type")
_TYPE = re.compile(r"^qnt9\.(?P<name>.+)\.v\d+$")
_TOKEN = re.compile(r"^p1\.[a-z]+:[0-9a-f-]+\.[A-Za-z0-9_-]+$")

# The names that readers of the log have always known; every other event has its own name.
ACTIONS = {
    "user.signed_up": "user.signup",
    "user.signed_in": "user.signin",
    "user.signed_out": "user.signout",
}


@dataclass(frozen=True, slots=True)
class Client:
    """Who asked, in clear; nothing where nobody did, or where it was erased."""

    ip: IPv4Address | IPv6Address | None = None
    agent: str | None = None


def action_of(event_type: str) -> str:
    """`qnt9.user.signed_up.v1` is `user.signup`."""
    match = _TYPE.match(event_type)
    name = match["name"] if match else event_type
    return ACTIONS.get(name, name)


def user_of(body: Any) -> UUID | None:
    """Whose event it is, as its data says."""
    try:
        return UUID(body["user_id"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def details_of(body: Any) -> dict[str, Any]:
    """The data without its client, as `jsonb` can hold it; always an object."""
    if not isinstance(body, dict):
        body = {"data": body}
    return {storable(name): storable(value) for name, value in body.items() if name != "client"}


def sealed_client(received: InboundMessage[RawEvent]) -> Personal | None:
    """The encrypted client of an event, if it has one."""
    body = received.data.body
    token = body.get("client") if isinstance(body, dict) else None
    if not isinstance(token, str) or not _TOKEN.match(token):
        return None
    return Personal.of_token(token)


def open_client(sealed: Personal | None, keys: dict[str, PersonalKey]) -> Client:
    """In clear, when its key still exists and what it holds is a client."""
    key = keys.get(sealed.key_id or "") if sealed else None
    if sealed is None or key is None:
        return Client()
    try:
        clear = sealed.reveal(key)
    except ErasedError:
        return Client()
    if not isinstance(clear, dict):
        return Client()
    agent = clear.get("agent")
    return Client(_address(clear.get("ip")), storable(agent) if isinstance(agent, str) else None)


def storable(value: Any) -> Any:
    """The same without U+0000, which Postgres cannot hold; the payload keeps every byte."""
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case list():
            return [storable(item) for item in value]
        case dict():
            return {storable(name): storable(item) for name, item in value.items()}
    return value


def _address(text: object) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(str(text).partition("%")[0])
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log without its address and client. `recorded_at` is the record's own time."""

    event_id: UUID
    created_at: datetime
    user_id: UUID | None
    action: str
    details: dict[str, Any]
    type: str
    correlation_id: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: dict[str, str]
    payload: bytes
    recorded_at: datetime

    def contradicts(self, stored: Mapping[str, Any]) -> bool:
        """Whether a row of the same event says something else than this record does."""
        if stored["created_at"] != self.created_at:
            return True
        return stored["payload"] is not None and any(
            stored[name] != getattr(self, name) for name in ("payload", "key", "type")
        )


def entry_of(received: InboundMessage[RawEvent]) -> Entry:
    """The row that an event becomes."""
    envelope, origin, data = received.envelope, received.origin, received.data
    return Entry(
        envelope.id,
        envelope.time,
        user_of(data.body),
        storable(action_of(envelope.type)),
        details_of(data.body),
        storable(envelope.type),
        storable(envelope.correlation_id),
        origin.topic,
        origin.partition,
        origin.offset,
        origin.key,
        storable(data.headers),
        data.value,
        _EPOCH + timedelta(milliseconds=origin.timestamp_ms),
    )


def split_contradictions(
    entries: Iterable[Entry], stored: Mapping[UUID, Mapping[str, Any]]
) -> tuple[list[Entry], list[Entry]]:
    """Those that the log takes, and those whose id stands for something else already."""
    fit: dict[UUID, Entry] = {}
    contradicting: list[Entry] = []
    for entry in entries:
        first = fit.get(entry.event_id)
        before = stored.get(entry.event_id)
        if before is None and first is not None:
            before = {name: getattr(first, name) for name in _COMPARED}
        if before is not None and entry.contradicts(before):
            contradicting.append(entry)
        else:
            fit.setdefault(entry.event_id, entry)
    return list(fit.values()), contradicting
