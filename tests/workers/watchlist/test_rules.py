from dataclasses import replace

from contracts.commands import AddToWatchlist, RemoveFromWatchlist
from contracts.events import UserEvent, WatchlistItemAdded, WatchlistItemRemoved
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from contracts.personal import Personal
from workers.watchlist.rules import Watchlist, WatchlistCommand, decide

ADA = uuid7()


def a_watchlist(*symbols: str, limit: int = 50, note: str | None = None) -> Watchlist:
    return Watchlist(ADA, limit, dict.fromkeys(symbols, note))


def after(watchlist: Watchlist, *commands: WatchlistCommand) -> tuple[Watchlist, list[UserEvent]]:
    """The list and the events that commands lead to, one after the other."""
    events = []
    for command in commands:
        decision = decide(watchlist, command)
        watchlist = decision.watchlist
        if decision.event:
            events.append(decision.event)
    return watchlist, events


def test_a_symbol_is_added() -> None:
    decision = decide(a_watchlist(), AddToWatchlist(symbol="aapl", note="mine"))
    assert decision.watchlist.items == {"AAPL": "mine"}
    assert decision.outcome == Succeeded({"symbol": "AAPL", "note": "mine"}, created=True)
    assert decision.event == WatchlistItemAdded(user_id=ADA, symbol="AAPL", note=Personal("mine"))


def test_a_full_list_takes_no_further_symbol() -> None:
    full = a_watchlist("AAPL", "SAP.DE", limit=2)
    decision = decide(full, AddToWatchlist(symbol="MSFT"))
    assert decision.outcome == Rejected("watchlist-full", "at most 2 symbols")
    assert (decision.watchlist, decision.event) == (full, None)


def test_what_no_one_asks_about_takes_room_too() -> None:
    almost = replace(a_watchlist("AAPL", limit=3), others=1)
    full, _ = after(almost, AddToWatchlist(symbol="MSFT"))
    assert isinstance(decide(full, AddToWatchlist(symbol="SAP.DE")).outcome, Rejected)


def test_a_full_list_still_takes_a_new_note_for_a_symbol_it_has() -> None:
    full = a_watchlist("AAPL", "SAP.DE", limit=2)
    decision = decide(full, AddToWatchlist(symbol="SAP.DE", note="earnings on Friday"))
    assert decision.watchlist.items["SAP.DE"] == "earnings on Friday"
    assert decision.outcome == Succeeded(
        {"symbol": "SAP.DE", "note": "earnings on Friday"}, created=False
    )


def test_a_list_above_its_limit_keeps_what_it_has_and_takes_nothing_more() -> None:
    downgraded = a_watchlist("A", "B", "C", limit=2)
    assert isinstance(decide(downgraded, AddToWatchlist(symbol="D")).outcome, Rejected)
    assert decide(downgraded, AddToWatchlist(symbol="A", note="still mine")).event
    assert decide(downgraded, RemoveFromWatchlist(symbol="A")).watchlist.items.keys() == {"B", "C"}


def test_adding_what_is_there_already_changes_nothing_and_succeeds() -> None:
    watchlist = a_watchlist("AAPL", note="mine")
    decision = decide(watchlist, AddToWatchlist(symbol="AAPL", note="mine"))
    assert (decision.watchlist, decision.event) == (watchlist, None)
    assert decision.outcome == Succeeded({"symbol": "AAPL", "note": "mine"}, created=False)


def test_a_note_can_be_taken_away_again() -> None:
    watchlist = a_watchlist("AAPL", note="mine")
    decision = decide(watchlist, AddToWatchlist(symbol="AAPL"))
    assert decision.watchlist.items == {"AAPL": None}
    assert decision.event == WatchlistItemAdded(user_id=ADA, symbol="AAPL", note=None)


def test_a_symbol_is_removed() -> None:
    decision = decide(a_watchlist("AAPL", "MSFT"), RemoveFromWatchlist(symbol="AAPL"))
    assert decision.watchlist.items.keys() == {"MSFT"}
    assert decision.outcome == Succeeded()
    assert decision.event == WatchlistItemRemoved(user_id=ADA, symbol="AAPL")


def test_removing_what_is_not_there_succeeds_and_is_no_event() -> None:
    watchlist = a_watchlist("MSFT")
    decision = decide(watchlist, RemoveFromWatchlist(symbol="AAPL"))
    assert (decision.watchlist, decision.outcome, decision.event) == (watchlist, Succeeded(), None)


def test_removing_makes_room_in_a_full_list() -> None:
    full = a_watchlist("A", "B", limit=2)
    watchlist, events = after(full, RemoveFromWatchlist(symbol="A"), AddToWatchlist(symbol="C"))
    assert list(watchlist.items) == ["B", "C"]
    assert [event.type for event in events] == [WatchlistItemRemoved.type, WatchlistItemAdded.type]


def test_a_symbol_that_was_added_again_is_the_last_of_the_list_and_known_to_be_new() -> None:
    before = a_watchlist("A", "B")
    watchlist, _ = after(before, RemoveFromWatchlist(symbol="A"), AddToWatchlist(symbol="A"))
    assert list(watchlist.items) == ["B", "A"]
    assert watchlist.added == {"A"}


def test_a_new_note_makes_no_symbol_new() -> None:
    watchlist, _ = after(a_watchlist("A", "B"), AddToWatchlist(symbol="A", note="mine"))
    assert list(watchlist.items) == ["A", "B"]
    assert not watchlist.added
