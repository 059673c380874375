"""What handlers left for the relay, and for the gateways that wait."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from contracts.events import Event
from contracts.personal import Personal, PersonalKey
from contracts.topics import MESSAGES
from infra.messaging.access_changes import AccessChanges
from infra.messaging.outcome_notifier import Announcement, OutcomeNotifier
from tests.support.postgres import Database


@dataclass(frozen=True)
class Written:
    """One event of the outbox."""

    event: Event
    about: str
    payload: str
    headers: dict[str, str]


async def written_events(database: Database) -> list[Written]:
    """Every event, in the order of the outbox."""
    rows = await database.fetch(
        "SELECT type, aggregateid, payload, headers FROM outbox ORDER BY seq"
    )
    written = []
    for row in rows:
        event = MESSAGES[row["type"]].model_validate_json(row["payload"])
        assert isinstance(event, Event)
        written.append(Written(event, row["aggregateid"], row["payload"], row["headers"]))
    return written


async def events(database: Database) -> list[Event]:
    return [each.event for each in await written_events(database)]


async def revealed(database: Database, personal: Personal | None) -> Any:
    """The clear value, with the key that the database has for it."""
    assert personal
    assert personal.key_id, "it is not encrypted"
    rows = await database.fetch(
        "SELECT id, secret FROM personal_keys WHERE id = $1", personal.key_id
    )
    return personal.reveal(PersonalKey(rows[0]["id"], rows[0]["secret"]))


async def outcomes(database: Database) -> list[dict[str, Any] | None]:
    """Of every message that was handled, oldest first."""
    rows = await database.fetch("SELECT outcome FROM inbox ORDER BY handled_at, message_id")
    return [row["outcome"] for row in rows]


class MemoryOutcomeNotifier(OutcomeNotifier):
    """Announcements as the cache server would have carried them."""

    def __init__(self) -> None:
        self.announced: list[Announcement] = []
        self.changes = AccessChanges()
        self.heard = True

    async def announce(
        self, announcements: Iterable[Announcement], changes: AccessChanges | None = None
    ) -> bool:
        self.announced += announcements
        if changes:
            self.changes.sessions |= changes.sessions
            self.changes.users |= changes.users
        return self.heard
