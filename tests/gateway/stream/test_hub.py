"""Who hears of what."""

from typing import cast

import pytest

from contracts.ids import uuid7
from gateway.problems import ProblemError
from gateway.stream.events import Event
from gateway.stream.history import History
from gateway.stream.hub import MAX_WAITING_FRAMES, Hub, Subscription, Update
from gateway.stream.positions import places_of
from tests.support.gateway.stream_builders import (
    START,
    Log,
    a_hub,
    a_price,
    a_principal,
    added,
    take,
)


def offsets(subscription: Subscription) -> list[int]:
    return [cast("Event", each).offset for each in subscription.waiting]


def test_an_event_goes_to_the_streams_of_its_user_alone() -> None:
    hub, log = a_hub(), Log()
    ada, bob = a_principal(), a_principal()
    streams = [hub.join(ada), hub.join(ada), hub.join(bob)]
    take(hub, log.record(added(ada.user_id), str(ada.user_id)))
    assert [len(each.waiting) for each in streams] == [1, 1, 0]


def test_a_repetition_by_the_relay_is_reported_once() -> None:
    hub, log, ada = a_hub(), Log(), a_principal()
    stream, twice = hub.join(ada), uuid7()
    for id_ in (twice, uuid7(), twice):
        take(hub, log.record(added(ada.user_id), str(ada.user_id), id_=id_))
    assert offsets(stream) == [START, START + 1]
    assert hub.position(ada).watchlists == START + 3


def test_event_that_was_filled_in_again_is_no_news() -> None:
    """An operator has published again what Kafka had lost: with its time of then."""
    hub, log, ada = a_hub(), Log(), a_principal()
    stream = hub.join(ada)
    record = log.record(added(ada.user_id), str(ada.user_id))
    record.timestamp -= 2 * 3_600_000
    take(hub, record)
    take(hub, log.record(added(ada.user_id), str(ada.user_id)))
    assert offsets(stream) == [START + 1]


def test_a_price_goes_to_who_follows_the_symbol() -> None:
    hub, log = a_hub(), Log()
    one, other = hub.join(a_principal()), hub.join(a_principal())
    hub.follow(one, ["SAP.DE", "AAPL"])
    hub.follow(other, ["AAPL"])
    take(hub, log.record(a_price("1.5", 7), "SAP.DE"))
    assert [cast("Update", u).quote.price for u in one.waiting] == ["1.5"]
    assert not other.waiting
    hub.unfollow(one, "SAP.DE")
    take(hub, log.record(a_price("1.6", 8), "SAP.DE"))
    assert len(one.waiting) == 1


def test_who_is_too_slow_is_ended_and_waits_for_nothing_more() -> None:
    hub, log, ada = a_hub(), Log(), a_principal()
    stream = hub.join(ada)
    for _ in range(MAX_WAITING_FRAMES + 5):
        take(hub, log.record(added(ada.user_id), str(ada.user_id)))
    assert stream.ended == "too-slow"
    assert len(stream.waiting) == MAX_WAITING_FRAMES


def test_one_user_has_so_many_streams_and_all_together_too() -> None:
    hub, ada = a_hub(most=3, most_of_one=2), a_principal()
    first, _ = hub.join(ada), hub.join(ada)
    with pytest.raises(ProblemError, match="too-many-streams"):
        hub.join(ada)
    hub.join(a_principal())
    with pytest.raises(ProblemError, match="try-again"):
        hub.join(a_principal())
    hub.leave(first)
    hub.leave(first)
    hub.join(ada)


def test_no_one_joins_before_everything_is_read_and_after_draining_began() -> None:
    hub, log, ada = Hub(most=9, most_of_one=9), Log(), a_principal()
    with pytest.raises(ProblemError, match="try-again"):
        hub.join(ada)
    record = log.record(added(ada.user_id), str(ada.user_id))
    places = places_of(ada.user_id)
    assert not hub.has_been_ready
    hub.begin(
        dict.fromkeys(places, START),
        dict.fromkeys(places, START) | {(record.topic, record.partition): START + 1},
    )
    with pytest.raises(ProblemError, match="try-again"):
        hub.join(ada)
    assert not hub.has_been_ready
    take(hub, record)
    assert hub.has_been_ready
    stream = hub.join(ada)
    assert stream.start.watchlists == START + 1
    hub.draining = True
    with pytest.raises(ProblemError, match="draining"):
        hub.join(ada)


def test_who_is_connected_while_the_reader_begins_anew_comes_back() -> None:
    hub = a_hub()
    stream = hub.join(a_principal())
    hub.stop()
    assert stream.ended == "try-again"
    assert not hub.ready


def test_those_end_who_may_hear_no_more() -> None:
    hub, ada = a_hub(), a_principal()
    streams = [hub.join(ada), hub.join(a_principal())]
    hub.end_where(lambda principal: "session-ended" if principal == ada else None)
    assert [each.ended for each in streams] == ["session-ended", None]


def test_a_history_forgets_the_oldest_and_says_so() -> None:
    log, ada = Log(), a_principal()
    hub, history = a_hub(), History(START, most=3)
    stream = hub.join(ada)
    for _ in range(5):
        take(hub, log.record(added(ada.user_id), str(ada.user_id)))
    events = [cast("Event", each) for each in stream.waiting]
    assert all(history.add(event) for event in events)
    assert history.begin == START + 2
    assert not history.add(events[-1])
    key = stream.key
    assert [e.offset for e in history.between(START, START + 4, key)] == [START + 2, START + 3]
    assert history.between(START, START + 9, b"another") == []
