from dataclasses import replace
from datetime import timedelta

import pytest

from infra.messaging.dead_letters import PREFIX
from operations.broker import Range
from operations.dead_letters.repository import after_the_marked
from operations.dead_letters.topic import (
    BOXES,
    DeadLetter,
    Listed,
    Number,
    dead_letter_topics_of,
    grouped,
)
from operations.errors import OpsError
from tests.support.operations.dead_letter_builders import FAILED_AT, WATCHLIST, a_letter


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("watchlist.commands.watchlist:17", 17, 17),
        ("watchlist.commands.watchlist.dlq:17", 17, 17),
        ("watchlist.commands.watchlist:17-28", 17, 28),
    ],
)
def test_a_number_is_a_box_and_an_offset_or_several(text: str, first: int, last: int) -> None:
    assert Number.of(text) == Number(WATCHLIST, first, last)


@pytest.mark.parametrize(
    "text",
    ["17", "watchlist.commands:17", "watchlist.commands.watchlist", "nosuch.commands.x:1", "a:b"],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the id of a dead letter"):
        Number.of(text)


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="the last comes before the first"):
        Number.of("watchlist.commands.watchlist:28-17")


def test_a_dead_letter_says_why_how_often_since_when_and_where_from() -> None:
    dead_letter = a_letter(reason="ValueError in a handler")
    assert dead_letter.reason == "ValueError in a handler"
    assert dead_letter.attempts == "3"
    assert dead_letter.first_failure == dead_letter.last_failure == FAILED_AT
    assert dead_letter.came_from == "watchlist.commands:4:1042"
    assert dead_letter.message_id
    assert Number.of(dead_letter.number).range == Range(
        0, dead_letter.record.offset, dead_letter.record.offset + 1
    )


def test_a_dead_letter_without_any_header_that_can_be_read_is_a_dead_letter_too() -> None:
    record = a_letter().record
    record.headers = [
        ("ce_id", None),
        (PREFIX + "first_failure", b"\xff"),
        (PREFIX + "reason", b"\x1b[2J"),
    ]
    dead_letter = DeadLetter.of(WATCHLIST, record)
    assert dead_letter.message_id is None
    assert dead_letter.reason == "\\x1b[2J"
    assert dead_letter.came_from == "?:?:?"


def test_dead_letters_are_grouped_by_consumer_and_reason_the_latest_trouble_last() -> None:
    later = FAILED_AT + timedelta(minutes=5)
    dead_letters = [
        a_letter(reason="slow", failed_at=later),
        a_letter(reason="bug"),
        a_letter(reason="bug", failed_at=FAILED_AT + timedelta(minutes=1)),
        a_letter(reason="bug", dlq_topic="users.events.audit"),
    ]
    groups = grouped(map(Listed.of, dead_letters))
    assert [(g.dlq_topic.consumer.name, g.reason, len(g.dead_letters)) for g in groups] == [
        ("audit", "bug", 1),
        ("watchlist", "bug", 2),
        ("watchlist", "slow", 1),
    ]
    assert (groups[1].first, groups[1].last) == (FAILED_AT, FAILED_AT + timedelta(minutes=1))


def test_boxes_are_named_by_topic_by_themselves_or_by_consumer() -> None:
    for name in ("watchlist.commands", WATCHLIST.name, WATCHLIST.dead_letters):
        assert dead_letter_topics_of(name, None) == [WATCHLIST]
    assert dead_letter_topics_of(None, None) == list(BOXES.values())
    assert {dlq_topic.consumer.name for dlq_topic in dead_letter_topics_of(None, "audit")} == {
        "audit"
    }
    with pytest.raises(OpsError, match="dead letters of audit from"):
        dead_letter_topics_of("signup.commands", "audit")


def test_what_was_dealt_with_at_the_beginning_of_a_box_is_not_read_again() -> None:
    dlq_topic = Range(0, 2, 9)
    assert after_the_marked(dlq_topic, {2, 3, 5}) == replace(dlq_topic, start=4)
    assert after_the_marked(dlq_topic, set(range(2, 9))).is_empty
    assert after_the_marked(dlq_topic, set()) == dlq_topic
