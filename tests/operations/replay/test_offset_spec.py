from datetime import UTC, datetime

import pytest

from operations.replay.offset_spec import BEGINNING, Moment, Offset, Point, ends_before, point_of

NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)


def at(hour: int, minute: int = 0, day: int = 3) -> Moment:
    return Moment(int(datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp() * 1000))


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("1042", Offset(1042)),
        ("beginning", Offset(0)),
        ("now", at(12)),
        ("90m", at(10, 30)),
        ("2d", at(12, day=1)),
        ("2026-11-03T03:00", at(3)),
        ("2026-11-03 03:00Z", at(3)),
        ("2026-11-03T03:00+01:00", at(2)),
        ("2026-11-02", at(0, day=2)),
        ("99999d", BEGINNING),
        ("9" * 30 + "h", BEGINNING),
        ("1969-12-31", BEGINNING),
        ("1970-01-01", BEGINNING),
        ("0001-01-01T00:00+14:00", BEGINNING),
        ("9999-12-31T23:59-14:00", Moment(253402351140000)),
    ],
)
def test_a_point_is_an_offset_a_time_or_an_age(text: str, point: Point) -> None:
    assert point_of(text, NOW) == point


@pytest.mark.parametrize("text", ["", "-5", "yesterday", "3 h", "٣", "٣d", "2026-13-01"])
def test_what_is_none_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="no offset, no time such as"):
        point_of(text, NOW)


def test_a_time_keeps_its_milliseconds() -> None:
    assert point_of("2026-11-03T03:00:00.123Z", NOW) == Moment(at(3).milliseconds + 123)


@pytest.mark.parametrize(
    ("begin", "end", "turned"),
    [
        ("1h", "now", False),
        ("now", "1h", True),
        ("now", "beginning", True),
        ("beginning", "beginning", True),
        ("1h", "99999d", True),
        ("12", "11", True),
        ("11", "12", False),
        ("12", "12", False),
        ("now", "12", False),
        ("12", "now", False),
        ("beginning", "now", False),
    ],
)
def test_a_range_that_is_turned_round_is_known_by_its_words(
    begin: str, end: str, *, turned: bool
) -> None:
    assert ends_before(point_of(begin, NOW), point_of(end, NOW)) is turned
