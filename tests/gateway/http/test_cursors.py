"""Where a page of activity ended, as a text that clients hand back."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.ids import uuid7
from gateway.http.body import read_query
from gateway.http.cursors import read_cursor, write_cursor
from gateway.problems import ProblemError

AT = datetime(2026, 11, 3, 12, 0, 0, 123_456, tzinfo=UTC)


@pytest.mark.parametrize("at", [AT, datetime(1969, 1, 1, tzinfo=UTC), AT + timedelta(days=90_000)])
def test_a_cursor_is_read_as_it_was_written(at: datetime) -> None:
    place = (at, uuid7())
    assert read_cursor(write_cursor(place)) == place


@pytest.mark.parametrize(
    "cursor", ["x", "AAAA", "A" * 32 + "A", "ä" * 32, "f" * 32, "A" * 31 + "="]
)
def test_what_was_never_handed_out_is_refused(cursor: str) -> None:
    with pytest.raises(ProblemError) as caught:
        read_cursor(cursor)
    assert caught.value.errors == [
        {"field": "cursor", "message": "must be the next_cursor of a page"}
    ]


def test_a_query_is_read_by_name() -> None:
    assert read_query("limit=2&cursor=a%2Bb&empty=") == {
        "limit": "2",
        "cursor": "a+b",
        "empty": "",
    }
    assert read_query("limit=1&limit=2") == {"limit": ["1", "2"]}
    assert read_query("") == {}
