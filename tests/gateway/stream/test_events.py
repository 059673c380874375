"""What is shown of an event."""

from uuid import uuid4

import orjson
import pytest

from contracts.events import UserSignedIn, UserSignedUp, UserTierChanged
from contracts.personal import Personal
from gateway.stream.events import change_of, displayed, event_of, update_of
from tests.support.gateway.stream_builders import ARecord, Log, a_price, added, removed

USER = uuid4()


def test_an_event_is_shown_without_what_is_personal() -> None:
    client = Personal({"ip": "192.0.2.1", "agent": "a browser"})
    event = added(USER).model_copy(update={"client": client})
    read = event_of(Log().record(event, str(USER)))
    assert read
    assert displayed(read) == {
        "id": read.id,
        "type": "qnt9.watchlist.item_added.v1",
        "time": read.time,
        "data": {"user_id": str(USER), "symbol": "SAP.DE"},
    }


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (UserSignedUp(user_id=USER, email=Personal("ada@example.com")), {"user_id"}),
        (UserSignedIn(user_id=USER, session_id="s"), {"user_id", "session_id", "new_client"}),
    ],
)
def test_nothing_encrypted_is_shown(event: UserSignedUp, fields: set[str]) -> None:
    read = event_of(Log().record(event, str(USER)))
    assert read
    assert displayed(read)["data"].keys() == fields
    assert b"p1." not in orjson.dumps(displayed(read))


def test_a_type_of_the_future_is_reported_without_its_data() -> None:
    record = Log().record(added(USER), str(USER))
    record.headers = [
        (n, b"qnt9.watchlist.renamed.v1" if n == "ce_type" else v) for n, v in record.headers
    ]
    read = event_of(record)
    assert read
    assert displayed(read)["type"] == "qnt9.watchlist.renamed.v1"
    assert displayed(read)["data"] == {}
    assert change_of(read) is None


@pytest.mark.parametrize("new", [{"tier": "gold"}, {"tier": "gold", "seats": 3}, {"seats": 3}])
def test_data_of_a_newer_producer_is_shown_as_far_as_its_type_is_known(
    new: dict[str, object],
) -> None:
    event = UserTierChanged(user_id=USER, former_tier="free", tier="pro")
    record = Log().record(event, str(USER))
    record.value = orjson.dumps({**orjson.loads(record.value or b""), **new})
    read = event_of(record)
    assert read
    known = {"user_id": str(USER), "former_tier": "free", "tier": new.get("tier", "pro")}
    assert known.items() <= displayed(read)["data"].items()
    assert "seats" not in displayed(read)["data"]


def test_data_that_its_type_does_not_allow_is_not_shown() -> None:
    record = Log().record(added(USER), str(USER))
    record.value = b'{"email": "ada@example.com"}'
    read = event_of(record)
    assert read
    assert displayed(read)["data"] == {}


@pytest.mark.parametrize(
    "spoil",
    [
        {"key": None},
        {"value": None},
        {"headers": []},
        {"headers": [("ce_id", b"\xff"), ("ce_type", b"t"), ("ce_time", b"t")]},
        {"headers": [("ce_id", None), ("ce_type", b"t"), ("ce_time", b"t")]},
    ],
)
def test_what_is_no_event_is_passed_over(spoil: dict[str, object]) -> None:
    good = vars(Log().record(added(USER), str(USER)))
    assert event_of(ARecord(**good | spoil)) is None


def test_what_changes_the_watchlist_is_known() -> None:
    for event, followed in ((added(USER), True), (removed(USER), False)):
        read = event_of(Log().record(event, str(USER)))
        assert read
        change = change_of(read)
        assert change
        assert (change.symbol, change.followed) == ("SAP.DE", followed)
        assert update_of(read) is None
    price = event_of(Log().record(a_price("1.5", 7), "SAP.DE"))
    assert price
    assert update_of(price) == a_price("1.5", 7)
