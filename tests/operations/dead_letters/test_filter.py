"""Which dead letters are chosen, and which of a range are not there."""

from datetime import timedelta

import pytest

from contracts.commands import RemoveFromWatchlist
from operations.broker import Range
from operations.dead_letters.filter import DeadLetterFilter
from operations.dead_letters.repository import absent
from operations.dead_letters.topic import Number
from operations.redaction import Wanted
from tests.support.operations.dead_letter_builders import FAILED_AT, WATCHLIST, a_letter

A_MINUTE = timedelta(minutes=1)
DEAD_LETTER = a_letter(RemoveFromWatchlist(symbol="AAPL"), reason="RaiseError in a handler")
KEY = (DEAD_LETTER.record.key or b"").decode()
CORRELATION = DEAD_LETTER.envelope.correlation_id if DEAD_LETTER.envelope else ""


@pytest.mark.parametrize(
    ("chosen", "other"),
    [
        ({"failure": "raiseerror"}, {"failure": "TypeError"}),
        ({"since": FAILED_AT}, {"since": FAILED_AT + A_MINUTE}),
        ({"until": FAILED_AT + A_MINUTE}, {"until": FAILED_AT}),
        (
            {"record": Wanted(type="command.remove_from_watchlist")},
            {"record": Wanted(type="command.add_to_watchlist")},
        ),
        ({"record": Wanted(key=KEY)}, {"record": Wanted(key=f"{KEY}x")}),
        (
            {"record": Wanted(correlation_id=CORRELATION)},
            {"record": Wanted(correlation_id="another")},
        ),
    ],
    ids=["failure", "from", "to", "type", "key", "correlation id"],
)
def test_a_filter_chooses_a_dead_letter_and_not_another(
    chosen: dict[str, object], other: dict[str, object]
) -> None:
    assert DeadLetterFilter().matches(DEAD_LETTER)
    assert DeadLetterFilter(**chosen).matches(DEAD_LETTER)  # type: ignore[arg-type]  # each a field
    assert not DeadLetterFilter(**other).matches(DEAD_LETTER)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (10, 19, None),
        (10, 10, None),
        (17, 28, "has no dead letters 20 to 28: it has 10 to 19"),
        (19, 20, "has no dead letters 20: it has 10 to 19"),
        (5, 12, "has no dead letters 5 to 9: it has 10 to 19"),
        (9, 20, "has no dead letters 9 and 20: it has 10 to 19"),
        (30, 30, "has no dead letter 30: it has 10 to 19"),
        (30, 40, "has no dead letters 30 to 40: it has 10 to 19"),
    ],
)
def test_dead_letters_that_are_not_there_are_named(first: int, last: int, said: str | None) -> None:
    assert absent(Number(WATCHLIST, first, last), Range(0, 10, 20)) == said


def test_an_empty_box_is_said_to_be_empty() -> None:
    assert (
        absent(Number(WATCHLIST, 3, 4), Range(0, 0, 0)) == "has no dead letters 3 to 4: it is empty"
    )
