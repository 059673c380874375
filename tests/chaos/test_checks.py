"""The checks can fail: each invariant is broken by hand, and reported."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.chaos.audit_chain import Proof
from tests.support.chaos.canaries import Secrets
from tests.support.chaos.faults import Drain
from tests.support.chaos.invariants import (
    every_command_ended,
    in_order,
    one_account_and_one_mail,
    one_effect,
    one_set_of_events,
    watchlists_as_their_owners_left_them,
)
from tests.support.chaos.ledger import Cut, Entry, Kind, Ledger, Verdict
from tests.support.chaos.observations import Fact, Published, Seen
from tests.support.chaos.replays import moved
from tests.support.chaos.secrecy import Secrecy
from tests.support.e2e.audit_changes import changed
from tests.support.e2e.text_search import Tail, places_of
from tests.support.stack import Stack

ADA = "ada@example.com"
PLACE = ("users.events", 0)
ENDS = {PLACE: 9}
STOPPED = '"process": "gateway", "code": 0, "event": "process_stopped"'


def an_entry(kind: Kind = Kind.PUT, verdict: Verdict = Verdict.OK) -> Entry:
    return Entry(kind, ADA, symbol="AAPL", note="a note", verdict=verdict)


def seen_of(entry: Entry) -> Seen:
    """All that one command leaves behind when nothing is wrong."""
    seen, event = Seen(), uuid4()
    traces = seen.traces[entry.request_id]
    command = Published(uuid4(), "qnt9.command.add_to_watchlist.v1")
    traces.commands.append(command)
    seen.settled.add(command.id)
    traces.facts[event] = Fact(event, entry.kind.caused[0], ("watchlists.events", "ada"))
    traces.events.add(event)
    traces.rows[event] = {datetime.now(UTC)}
    seen.order[event] = 1
    seen.appeared["watchlists.events", "ada"] = {event: None}
    return seen


def violated(entry: Entry, seen: Seen) -> list[str]:
    """The invariants that do not hold."""
    checks = (every_command_ended, one_effect, one_set_of_events, in_order)
    return [text[:2] for check in checks for text in check([entry], seen)]


def test_what_is_well_is_not_reported() -> None:
    entry = an_entry()
    assert violated(entry, seen_of(entry)) == []


def test_a_command_without_an_outcome_or_set_aside_is_reported() -> None:
    entry = an_entry()
    seen = seen_of(entry)
    [command] = seen.traces[entry.request_id].commands
    seen.settled.clear()
    seen.parked.add(command.id)
    seen.traces[entry.request_id].dead_letters.append(command)
    assert violated(entry, seen) == ["I1", "I1", "I1"]


def test_a_second_effect_or_none_is_reported() -> None:
    entry = an_entry()
    seen = seen_of(entry)
    traces = seen.traces[entry.request_id]
    [fact] = traces.facts.values()
    second = uuid4()
    traces.facts[second] = Fact(second, fact.type, fact.aggregate)
    assert [text[:2] for text in one_effect([entry], seen)] == ["I2"]
    assert [text[:2] for text in one_effect([entry], Seen())] == ["I2"]


def test_an_event_that_is_missing_somewhere_or_twice_in_the_log_is_reported() -> None:
    entry = an_entry()
    seen = seen_of(entry)
    traces = seen.traces[entry.request_id]
    [event] = traces.events
    traces.rows[event].add(datetime(2026, 1, 1, tzinfo=UTC))
    assert violated(entry, seen) == ["I3"]
    traces.events.clear()
    traces.rows.clear()
    assert violated(entry, seen) == ["I3", "I3"]


def test_events_out_of_order_are_reported() -> None:
    entry = an_entry()
    seen = seen_of(entry)
    seen.order[later := uuid4()] = 2
    [event] = seen.traces[entry.request_id].events
    seen.appeared["watchlists.events", "ada"] = {later: None, event: None}
    assert violated(entry, seen) == ["I4"]


def test_accounts_and_mails_that_are_not_one_are_reported() -> None:
    entry = an_entry(Kind.SIGN_UP)
    for accounts, mails, invariants in ((1, 1, []), (2, 1, ["I2"]), (1, 0, ["I6"]), (1, 2, ["I6"])):
        found = one_account_and_one_mail([entry], {ADA: accounts}, {ADA: mails})
        assert [text[:2] for text in found] == invariants


def test_a_watchlist_that_is_not_as_it_was_left_is_reported() -> None:
    known, doubtful = an_entry(), an_entry(verdict=Verdict.INDETERMINATE)
    assert not [*watchlists_as_their_owners_left_them([known], {(ADA, "AAPL"): "a note"})]
    assert [*watchlists_as_their_owners_left_them([known], {})]
    assert not [*watchlists_as_their_owners_left_them([known, doubtful], {})]


@pytest.mark.parametrize("kind", ["a password", "a token"])
async def test_a_secret_in_a_log_is_reported(tmp_path: Path, kind: str) -> None:
    secrets, stack = Secrets(), Stack(tmp_path)
    secrets.handed_out("header.payload.signature-of-it", "session.secret-of-it")
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "signup.log"
    log.write_text("nothing yet\n")
    tail = Tail(stack, "logs")
    assert not [v async for v in Secrecy(stack, secrets).violations([*tail.added()])]
    secret = secrets.password() if kind == "a password" else secrets.tokens[0]
    log.rename(log.with_name("signup.log.1"))
    with log.with_name("signup.log.1").open("ab") as rotated:
        rotated.write(secret.encode().hex().encode())
    found = [v async for v in Secrecy(stack, secrets).violations([*tail.added()])]
    assert found == [f"I7: {kind} stands in log signup.log.1"]


def test_what_was_half_written_when_a_log_was_read_is_found_the_next_time(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log, tail = tmp_path / "logs" / "audit.log", Tail(Stack(tmp_path), "logs")
    log.write_text(f"{'x' * 5_000} a sec")
    assert not places_of("a secret", tail.added())
    with log.open("a") as file:
        file.write("ret")
    [piece] = tail.added()
    assert places_of("a secret", [piece]) == ["log audit.log"]
    assert len(piece.content) < 2_000


def test_a_group_that_was_moved_is_reported() -> None:
    group = "qnt9.audit"
    for stood, stands, is_reported in ((5, 5, 0), (5, 7, 0), (5, 4, 1), (5, 10, 1)):
        found = [*moved({(group, PLACE): stood}, {(group, PLACE): stands}, ENDS)]
        assert len(found) == is_reported, stands
    assert [*moved({(group, PLACE): 5}, {}, ENDS)], "its offsets are gone"
    assert not [*moved({("chaos.fresh", PLACE): 5}, {}, ENDS)], "not a group of the system"


def test_a_drain_that_cut_a_request_off_or_failed_is_reported() -> None:
    drain = Drain("gateway")
    drain.began, drain.ended = 10.0, 12.0
    before, meanwhile = Cut("a request", 9.0, 11.0), Cut("another", 10.5, 11.0)
    assert drain.violations(STOPPED, Ledger(cuts=[meanwhile])) == []
    assert len(drain.violations(STOPPED, Ledger(cuts=[before]))) == 1
    assert len(drain.violations(STOPPED.replace("0", "1"), Ledger())) == 1


async def test_a_row_of_the_log_that_was_changed_is_reported(stack: Stack) -> None:
    await stack.verified_user()
    assert not [v async for v in Proof(stack).violations()]
    async with changed(stack) as event_id:
        found = [v async for v in Proof(stack).violations()]
    assert any(text.startswith("I5: ") and event_id in text for text in found)
