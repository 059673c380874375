from datetime import UTC, datetime

import pytest

from infra.ops.points import Moment, Offset, Point, point_of

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
    ],
)
def test_a_point_is_an_offset_a_time_or_an_age(text: str, point: Point) -> None:
    assert point_of(text, NOW) == point


@pytest.mark.parametrize("text", ["", "-5", "yesterday", "3 h", "٣", "9999999d", "2026-13-01"])
def test_what_is_none_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="no offset, no time such as"):
        point_of(text, NOW)


def test_a_time_keeps_its_milliseconds() -> None:
    assert point_of("2026-11-03T03:00:00.123Z", NOW) == Moment(at(3).milliseconds + 123)
