import pytest

from operations.broker import Range
from operations.replay.offset_ranges import clamped


@pytest.mark.parametrize(
    ("start", "until", "expected"),
    [
        (12, 18, Range(3, 12, 18)),
        (0, 99, Range(3, 10, 20)),
        (12, 12, Range(3, 12, 12)),
        (15, 12, Range(3, 15, 15)),
        (0, 5, Range(3, 10, 10)),
        (25, 30, Range(3, 20, 20)),
    ],
    ids=["within", "wider", "empty", "backwards", "before", "after"],
)
def test_a_range_lies_within_what_there_is(start: int, until: int, expected: Range) -> None:
    assert clamped(3, start, until, (10, 20)) == expected
