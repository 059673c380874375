"""One right of a database role: a verb, its columns, and a condition on rows."""

from dataclasses import dataclass
from typing import Literal

from contracts.emitters import types_by_aggregate
from contracts.topics import (
    DEAD_LETTERS_SETTLED,
    MAX_DATA_BYTES,
    TOPICS,
    Consumer,
    takes_commands,
)

Verb = Literal["SELECT", "INSERT", "UPDATE", "DELETE", "EXECUTE", "USAGE"]

ROLES = (
    "gateway",
    "signup",
    "accounts",
    "verification",
    "watchlist",
    "quotes",
    "audit",
    "relay",
)
"""The processes; the role of the process `relay` is `qnt9_relay`."""

EVERY_ROW = "true"
NO_ROW = "false"


@dataclass(frozen=True)
class Right:
    """One verb on a table, view, function or sequence.

    Without columns it is about the whole object. `rows` is the condition on rows that can be read,
    changed or removed; `written` that on rows as they are after an INSERT or UPDATE; `meaning` is
    what they come to, in words.
    """

    verb: Verb
    columns: tuple[str, ...] = ()
    rows: str = EVERY_ROW
    written: str = EVERY_ROW
    meaning: str = ""


Rights = tuple[Right, ...]


def select(columns: str, rows: str = EVERY_ROW, *, meaning: str = "") -> Right:
    """Return the right to read these columns, of these rows."""
    return Right("SELECT", tuple(columns.split()), rows, meaning=meaning)


def insert(columns: str, written: str = EVERY_ROW, *, meaning: str = "") -> Right:
    """Return the right to write new rows with these columns."""
    return Right("INSERT", tuple(columns.split()), written=written, meaning=meaning)


def update(
    columns: str, rows: str = EVERY_ROW, written: str | None = None, *, meaning: str = ""
) -> Right:
    """Rows that do not meet `rows` afterwards are refused unless `written` says otherwise."""
    after = rows if written is None else written
    return Right("UPDATE", tuple(columns.split()), rows, after, meaning)


def delete(rows: str = EVERY_ROW) -> Right:
    """Return the right to delete these rows."""
    return Right("DELETE", rows=rows)


LOCK = update("updated_at", written=NO_ROW, meaning="only to lock rows")
CALL: Rights = (Right("EXECUTE"),)
USE: Rights = (Right("USAGE"),)
NOBODY: dict[str, Rights] = {}


def among(column: str, values: tuple[str, ...]) -> str:
    """Return the condition that a column has one of these values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def consumers_of(process: str) -> tuple[Consumer, ...]:
    """Return the consumers that a process runs, by name."""
    found = {c for topic in TOPICS for c in topic.consumers if c.principal == process}
    return tuple(sorted(found, key=lambda consumer: consumer.name))


def own_rows(process: str) -> str:
    """Return the condition that a row belongs to a consumer of this process."""
    return among("consumer", tuple(c.name for c in consumers_of(process)))


MAX_HEADERS_BYTES = 16_384
MAX_OUTCOME_BYTES = 65_536
MAX_QUOTE_BYTES = 16_384
MAX_NOTE_BYTES = 4_096
SHORT_NOTE = f"coalesce(octet_length(note), 0) <= {MAX_NOTE_BYTES}"
SMALL_QUOTE = f"octet_length(quote::text) <= {MAX_QUOTE_BYTES}"
SMALL_ANSWER = f"octet_length(outcome::text) <= {MAX_OUTCOME_BYTES}"
CLOCKS_DIFFER = "interval '1 hour'"


def own_event(process: str) -> str:
    """Return the condition that an outbox row is an event that this process emits.

    Its headers say what its columns say, and are such as the relay can publish.
    """
    kinds = " OR ".join(
        f"aggregatetype = '{aggregate}' AND {among('type', types)}"
        for aggregate, types in types_by_aggregate(process).items()
    )
    sources = tuple(f"urn:qnt9:{consumer.name}" for consumer in consumers_of(process))
    return " AND ".join(
        (
            f"({kinds})",
            f"octet_length(payload) <= {MAX_DATA_BYTES}",
            "payload IS JSON OBJECT",
            "octet_length(aggregateid) BETWEEN 1 AND 512",
            f"octet_length(headers::text) <= {MAX_HEADERS_BYTES}",
            """NOT headers @? '$.* ? (@.type() <> "string")'""",
            "headers ->> 'ce_id' = id::text",
            "headers ->> 'ce_type' = type",
            "headers ->> 'ce_subject' = aggregateid",
            among("headers ->> 'ce_source'", sources),
            f"(headers ->> 'ce_time')::timestamptz >= now() - {CLOCKS_DIFFER}",
            f"(headers ->> 'ce_time')::timestamptz <= now() + {CLOCKS_DIFFER}",
        )
    )


def inbox_rights(process: str) -> Rights:
    """Return what a process needs to settle messages."""
    columns = "message_id consumer type actor_id fingerprint outcome"
    small = (
        f"(outcome IS NULL OR octet_length(outcome::text) <= {MAX_OUTCOME_BYTES})"
        " AND coalesce(octet_length(fingerprint), 0) <= 256"
    )
    own = own_rows(process)
    return (
        select(columns, own, meaning="rows of its consumers"),
        insert(columns, f"{own} AND {small}", meaning="rows of its consumers"),
    )


def parked_rights(process: str) -> Rights:
    """Return what a process needs to mark commands that wait as dead letters."""
    columns = "command_id consumer type actor_id reason"
    own = own_rows(process)
    rights: Rights = (insert(columns, own, meaning="rows of its consumers"),)
    if any(takes_commands(consumer) for consumer in consumers_of(process)):
        read = "command_id consumer type actor_id parked_at"
        days = DEAD_LETTERS_SETTLED.days
        rights += (
            select(read, own, meaning="rows of its consumers"),
            delete(f"{own} AND parked_at < now() - interval '{days} days'"),
        )
    return rights


def pause_rights(process: str) -> Rights:
    """Return what a process needs to pause its consumers."""
    own = own_rows(process)
    return (
        select("consumer reason paused_at", own, meaning="rows of its consumers"),
        insert("consumer reason", own, meaning="rows of its consumers"),
        delete(own),
    )


def instruction_rights(process: str) -> Rights:
    """Return what a process needs to read the instructions of operators."""
    columns = "id consumer action topic partition first until type key operator reason"
    return (select(columns, own_rows(process), meaning="rows of its consumers"),)


def outbox_rights(process: str) -> Rights:
    """Return what a process needs to emit its events."""
    columns = "id aggregatetype aggregateid type payload headers"
    events = ", ".join(type_ for types in types_by_aggregate(process).values() for type_ in types)
    return (insert(columns, own_event(process), meaning=f"only {events}"),)
