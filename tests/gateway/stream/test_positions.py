"""Where a client is, as it keeps it."""

import os
from uuid import uuid4

import pytest

from contracts.topics import USERS_EVENTS, WATCHLISTS_EVENTS
from gateway.stream.positions import Position, Positions

KEY = os.urandom(32)
USER = uuid4()


def test_a_position_comes_back_from_every_gateway() -> None:
    position = Position(17, 2**40)
    text = Positions(KEY).to_text(position, USER)
    assert Positions(KEY).from_text(text, USER) == position
    assert len(text) < 50


def test_a_position_is_good_for_its_user_alone() -> None:
    text = Positions(KEY).to_text(Position(1, 2), USER)
    assert Positions(KEY).from_text(text, uuid4()) is None
    assert Positions(os.urandom(32)).from_text(text, USER) is None


@pytest.mark.parametrize("text", ["0", "17-3", "é", "A" * 43, "A" * 10_000, "====", "../..", "\0"])
def test_what_was_never_reported_is_no_position(text: str) -> None:
    assert Positions(KEY).from_text(text, USER) is None


def test_a_position_goes_forward_in_one_topic_at_a_time() -> None:
    position = Position(10, 20)
    assert position.after(USERS_EVENTS.name, 12) == Position(13, 20)
    assert position.after(WATCHLISTS_EVENTS.name, 5) == position
    assert position.or_later(Position(11, 19)) == Position(11, 20)
