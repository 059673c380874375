"""A rolling upgrade: a type or an enumeration value that one side does not know yet."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from contracts.commands import AddToWatchlist, ChangeTier
from contracts.events import UserSigninFailed, UserTierChanged
from contracts.topics import USERS_EVENTS, VERIFICATION_MAILS, WATCHLIST_COMMANDS
from gateway.stream.events import displayed, event_of
from infra.messaging.inbound import InboundMessage
from infra.messaging.record_reader import (
    RawEventReader,
    Reader,
    RecordReader,
    Unreadable,
    Unwanted,
    parse,
)
from tests.support.message_builders import ARecord, a_record

READER = RecordReader({message.type: message for message in USERS_EVENTS.carries}, None)
EVENT = UserSigninFailed(reason="wrong_password")


def with_data(record: ARecord, **data: object) -> ARecord:
    record.value = json.dumps({**json.loads(record.value or b"{}"), **data}).encode()
    return record


def of_type(record: ARecord, type_: str) -> ARecord:
    record.headers = [(n, type_.encode() if n == "ce_type" else v) for n, v in record.headers]
    return record


@pytest.mark.parametrize(
    "topic", [USERS_EVENTS.name, USERS_EVENTS.redrive(VERIFICATION_MAILS)], ids=str
)
def test_event_of_a_new_type_is_settled_unread(topic: str) -> None:
    record = of_type(a_record(EVENT, topic=topic), "qnt9.user.moved.v1")
    assert isinstance(READER.read(record), Unwanted)


def test_command_of_a_new_type_is_set_aside() -> None:
    record = of_type(a_record(AddToWatchlist(symbol="AAPL")), "qnt9.command.mute_symbol.v1")
    assert record.topic == WATCHLIST_COMMANDS.name
    assert isinstance(READER.read(record), Unreadable)


def test_new_field_and_new_value_of_an_enumeration_are_kept_or_overlooked() -> None:
    found = READER.read(with_data(a_record(EVENT), reason="locked", device="a phone"))
    assert isinstance(found, InboundMessage)
    assert isinstance(found.data, UserSigninFailed)
    assert str(found.data.reason) == "locked"


def test_old_event_without_an_optional_field_is_read() -> None:
    record = a_record(EVENT)
    record.value = b'{"reason": "wrong_password"}'
    assert isinstance(READER.read(record), InboundMessage)


def test_new_tier_is_kept_in_an_event_and_refused_in_a_command() -> None:
    user = "01a211a0-c5a6-710d-ad2a-6884bb618d91"
    event = {"user_id": user, "former_tier": "free", "tier": "gold"}
    assert parse(UserTierChanged, json.dumps(event).encode()).tier == "gold"
    with pytest.raises(ValueError, match="tier"):
        parse(ChangeTier, json.dumps({"user_id": user, "tier": "gold"}).encode())


def test_any_other_fault_of_an_event_is_one() -> None:
    found = READER.read(with_data(a_record(EVENT), reason="locked", user_id="nobody"))
    assert isinstance(found, Unreadable)


UPGRADES = {
    "producer first, a new type": lambda: of_type(a_record(EVENT), "qnt9.user.moved.v1"),
    "producer first, a new value": lambda: with_data(a_record(EVENT), reason="locked"),
    "producer first, a new field": lambda: with_data(a_record(EVENT), device="a phone"),
    "consumer first": lambda: replace(a_record(EVENT), value=b'{"reason": "wrong_password"}'),
}


@pytest.mark.parametrize("reader", [READER, RawEventReader()], ids=["mails", "audit"])
@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=list(UPGRADES))
def test_no_step_of_a_rolling_upgrade_makes_a_dead_letter(
    reader: Reader, upgrade: Callable[[], ARecord]
) -> None:
    record = upgrade()
    assert not isinstance(reader.read(record), Unreadable)
    reported = event_of(record)
    assert reported
    shows_data = reported.type == EVENT.type
    assert ("reason" in displayed(reported)["data"]) == shows_data, "the stream tells what it knows"
