"""The ledger against topics and tables: what must hold, whatever was killed.

The numbers are those of the invariants in docs/invariants.md.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from contracts.topics import TOPICS, physical_topics
from infra.kafka.records import headers_as_text
from tests.chaos.ledger import Entry, Kind, Ledger, Verdict
from tests.stack import Stack, eventually

REST_SECONDS = 180.0
COMMANDS = tuple(t.name for t in TOPICS if t.name.endswith(".commands"))
EVENTS = tuple(t.name for t in TOPICS if t.name.endswith(".events"))
DEAD_LETTERS = tuple(t.name for t in physical_topics() if t.name.endswith(".dlq"))
QUERIES = "qnt9.command.look_up_quote.v1"

Row = asyncpg.Record


@dataclass(frozen=True)
class Published:
    """A record of a topic, as far as it matters here."""

    topic: str
    key: str
    id: UUID
    type: str
    correlation_id: str


@dataclass
class Evidence:
    """All that the system has written because of one run."""

    commands: list[Published]
    events: list[Published]
    dead_letters: list[Published]
    outbox: list[Row]
    audit: list[Row]
    settled: set[UUID]
    parked: set[UUID]
    users: list[Row]
    items: list[Row]
    mails: Counter[str]


async def violations(stack: Stack, ledger: Ledger) -> list[str]:
    """Everything that does not hold, in words; nothing when all is well."""
    evidence = await gather(stack, ledger)
    return [
        *(f"unexpected: {e.name} {e.unexpected}" for e in ledger.entries if e.unexpected),
        *every_command_ended(evidence),
        *one_effect(ledger, evidence),
        *one_set_of_events(evidence),
        *in_order(evidence),
        *one_account_and_one_mail(ledger, evidence),
        *watchlists_as_their_owners_left_them(ledger, evidence),
    ]


def every_command_ended(evidence: Evidence) -> Iterator[str]:
    """I1: what Kafka took has an outcome, and nothing was set aside."""
    for command in evidence.commands:
        if command.type != QUERIES and command.id not in evidence.settled:
            yield f"I1: {command.type} {command.id} has no outcome"
    for letter in evidence.dead_letters:
        yield f"I1: {letter.type} {letter.id} was set aside"
    for command_id in evidence.parked:
        yield f"I1: {command_id} is parked"


def one_effect(ledger: Ledger, evidence: Evidence) -> Iterator[str]:
    """I2: as many effects as the client must assume, and each is an event and a row of the log."""
    counts = Counter((row["correlation_id"], row["type"]) for row in evidence.outbox)
    for entry in ledger.entries:
        least, most = entry.effects()
        found = sum(counts[entry.request_id, event] for event in entry.kind.caused)
        if not least <= found <= most:
            yield f"I2: {entry.name}, {entry.verdict.value}: {found} effects, not {least} to {most}"


def one_set_of_events(evidence: Evidence) -> Iterator[str]:
    """I3: outbox, topics and audit log hold the same events; the log each of them once."""
    outbox = {row["id"] for row in evidence.outbox}
    topics = {event.id for event in evidence.events}
    rows = Counter(row["event_id"] for row in evidence.audit)
    yield from (f"I3: {event} is in no topic" for event in outbox - topics)
    yield from (f"I3: {event} is in no outbox" for event in topics - outbox)
    yield from (f"I3: {event} is not in the audit log" for event in outbox - rows.keys())
    yield from (f"I3: {event} is {n} times in the log" for event, n in rows.items() if n > 1)


def in_order(evidence: Evidence) -> Iterator[str]:
    """I4: the first appearances of each aggregate's events are in the order of their facts."""
    facts: dict[tuple[str, str], list[UUID]] = {}
    for row in evidence.outbox:
        facts.setdefault((row["topic"], row["aggregateid"]), []).append(row["id"])
    seen: dict[tuple[str, str], dict[UUID, None]] = {}
    for event in evidence.events:
        seen.setdefault((event.topic, event.key), {})[event.id] = None
    for aggregate, ids in facts.items():
        if [*seen.get(aggregate, {})] != ids:
            yield f"I4: the events of {aggregate} are out of order"


def one_account_and_one_mail(ledger: Ledger, evidence: Evidence) -> Iterator[str]:
    """I2 and I6: one row a sign-up, and one mail, unless a process died between DATA and record."""
    accounts = Counter(row["email"] for row in evidence.users)
    for entry in ledger.of(Kind.SIGN_UP):
        least, most = entry.effects()
        if not least <= accounts[entry.email] <= most:
            yield f"I2: {entry.email} has {accounts[entry.email]} accounts"
        if accounts[entry.email] == 1 and not evidence.mails[entry.email]:
            yield f"I6: {entry.email} got no mail"
        if evidence.mails[entry.email] > 1:
            yield f"I6: {entry.email} got {evidence.mails[entry.email]} different mails"


def watchlists_as_their_owners_left_them(ledger: Ledger, evidence: Evidence) -> Iterator[str]:
    """I2: the last change that was acknowledged is the one that stands."""
    stands = {(row["email"], row["symbol"]): row["note"] for row in evidence.items}
    for email, entries in ledger.by_user().items():
        for symbol, note in _known(entries).items():
            if stands.get((email, symbol)) != note:
                yield f"I2: {symbol} of {email} is not as it was left"


def _known(entries: Iterable[Entry]) -> dict[str, str | None]:
    """Notes by symbol, None where it is gone; without what an unanswered command may change."""
    notes: dict[str, str | None] = {}
    doubtful: set[str] = set()
    for entry in entries:
        if entry.kind in {Kind.PUT, Kind.DELETE}:
            if entry.verdict is Verdict.INDETERMINATE:
                doubtful.add(entry.symbol)
            elif entry.verdict is Verdict.OK:
                notes[entry.symbol] = entry.note
    return {symbol: note for symbol, note in notes.items() if symbol not in doubtful}


async def gather(stack: Stack, ledger: Ledger) -> Evidence:
    """When everything has come to rest."""
    ours = {entry.request_id for entry in ledger.entries}
    emails = sorted({entry.email for entry in ledger.entries})
    async with stack.postgres() as conn:
        await _until_rest(conn)
        outbox = await conn.fetch(
            """
            SELECT id, aggregatetype || '.events' AS topic, aggregateid, type,
                   headers ->> 'ce_correlationid' AS correlation_id
              FROM outbox
             WHERE headers ->> 'ce_correlationid' = ANY($1)
             ORDER BY seq
            """,
            ours,
        )
        audit = await conn.fetch(
            "SELECT event_id FROM audit_log WHERE correlation_id = ANY($1)", ours
        )
        settled = await conn.fetch("SELECT message_id FROM inbox WHERE outcome IS NOT NULL")
        parked = await conn.fetch("SELECT command_id FROM parked_commands")
        users = await conn.fetch("SELECT email FROM users WHERE email = ANY($1)", emails)
        items = await conn.fetch(
            """
            SELECT email, symbol, note
              FROM watchlist_items JOIN users ON users.id = watchlist_items.user_id
             WHERE email = ANY($1)
            """,
            emails,
        )
    commands = await _published(stack, COMMANDS, ours)
    ids = {command.id for command in commands}
    return Evidence(
        commands=commands,
        events=await _published(stack, EVENTS, ours),
        dead_letters=await _published(stack, DEAD_LETTERS, ours),
        outbox=outbox,
        audit=audit,
        settled={row["message_id"] for row in settled},
        parked={row["command_id"] for row in parked} & ids,
        users=users,
        items=items,
        mails=await _mails(stack, emails),
    )


async def _until_rest(conn: Any) -> None:
    """Every event is published and recorded, every mail sent."""

    async def at_rest() -> bool:
        return not await conn.fetchval(
            """
            SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)
                OR EXISTS (SELECT FROM mails WHERE status IN ('queued', 'sending'))
                OR EXISTS (SELECT FROM outbox
                            WHERE NOT EXISTS (SELECT FROM audit_log WHERE event_id = outbox.id))
            """
        )

    await eventually(at_rest, seconds=REST_SECONDS, what="rest")


async def _published(stack: Stack, topics: Iterable[str], ours: set[str]) -> list[Published]:
    found = []
    for record in await stack.records(*topics):
        headers = headers_as_text(record)
        if headers.get("ce_correlationid") in ours:
            key = (record.key or b"").decode()
            about = UUID(headers["ce_id"]), headers["ce_type"], headers["ce_correlationid"]
            found.append(Published(record.topic, key, *about))
    return found


async def _mails(stack: Stack, emails: Iterable[str]) -> Counter[str]:
    """How many different mails each address got: a repeated one has the same text."""
    counts: Counter[str] = Counter()
    for email in emails:
        mails = await stack.mails(email)
        counts[email] = len({mail["text"] for mail in mails})
    return counts
