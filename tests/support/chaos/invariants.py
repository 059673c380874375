"""What commands had to leave behind, and what they did: I1 to I4, and I6.

The numbers are those of the invariants in docs/invariants.md. Everything in here is pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from tests.support.chaos.ledger import Entry, Kind, Verdict
from tests.support.chaos.observations import Seen

QUERIES = "qnt9.command.look_up_quote.v1"


def every_command_ended(entries: Iterable[Entry], seen: Seen) -> Iterator[str]:
    """I1: what Kafka took has an outcome, and nothing was set aside."""
    for entry in entries:
        traces = seen.traces[entry.request_id]
        for command in traces.commands:
            if command.type != QUERIES and command.id not in seen.settled:
                yield f"I1: {command.type} {command.id} has no outcome"
            if command.id in seen.parked:
                yield f"I1: {command.type} {command.id} is parked"
        for dead_letter in traces.dead_letters:
            yield f"I1: {dead_letter.type} {dead_letter.id} was set aside"


def one_effect(entries: Iterable[Entry], seen: Seen) -> Iterator[str]:
    """I2: as many effects as the client must assume, and each is an event and a row of the log."""
    for entry in entries:
        least, most = entry.effects()
        facts = seen.traces[entry.request_id].facts.values()
        found = sum(fact.type in entry.kind.caused for fact in facts)
        if not least <= found <= most:
            yield f"I2: {entry.name}, {entry.verdict.value}: {found} effects, not {least} to {most}"


def one_set_of_events(entries: Iterable[Entry], seen: Seen) -> Iterator[str]:
    """I3: outbox, topics and audit log hold the same events; the log each of them once."""
    for entry in entries:
        traces = seen.traces[entry.request_id]
        outbox, rows = traces.facts.keys(), traces.rows
        yield from (f"I3: {event} is in no topic" for event in outbox - traces.events)
        yield from (f"I3: {event} is in no outbox" for event in traces.events - outbox)
        yield from (f"I3: {event} is not in the audit log" for event in outbox - rows.keys())
        yield from (f"I3: {e} is {len(n)} times in the log" for e, n in rows.items() if len(n) > 1)


def in_order(entries: Iterable[Entry], seen: Seen) -> Iterator[str]:
    """I4: the first appearances of each aggregate's events are in the order of their facts."""
    facts = (f for e in entries for f in seen.traces[e.request_id].facts.values())
    for aggregate in {fact.aggregate for fact in facts}:
        events: Iterable[UUID] = seen.appeared.get(aggregate, {})
        numbers = [seen.order[event] for event in events if event in seen.order]
        if numbers != sorted(numbers):
            yield f"I4: the events of {aggregate} are out of order"


def one_account_and_one_mail(
    entries: Iterable[Entry], accounts: Mapping[str, int], mails: Mapping[str, int]
) -> Iterator[str]:
    """I2 and I6: one row a sign-up, and one mail, unless a process died between DATA and record."""
    for entry in entries:
        if entry.kind is not Kind.SIGN_UP:
            continue
        least, most = entry.effects()
        if not least <= accounts[entry.email] <= most:
            yield f"I2: {entry.email} has {accounts[entry.email]} accounts"
        if accounts[entry.email] == 1 and not mails[entry.email]:
            yield f"I6: {entry.email} got no mail"
        if mails[entry.email] > 1:
            yield f"I6: {entry.email} got {mails[entry.email]} different mails"


def watchlists_as_their_owners_left_them(
    entries: Iterable[Entry], stands: Mapping[tuple[str, str], str | None]
) -> Iterator[str]:
    """I2: the last change that was acknowledged is the one that stands, once its owner has left."""
    changes = [entry for entry in entries if entry.kind in {Kind.PUT, Kind.DELETE}]
    doubtful = {(e.email, e.symbol) for e in changes if e.verdict is Verdict.INDETERMINATE}
    last = {(e.email, e.symbol): e.note for e in changes if e.verdict is Verdict.OK}
    for (email, symbol), note in last.items():
        if (email, symbol) not in doubtful and stands.get((email, symbol)) != note:
            yield f"I2: {symbol} of {email} is not as it was left"
