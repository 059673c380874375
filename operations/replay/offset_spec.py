"""Where a range begins or ends, as operators say it. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"^(\d+)(s|m|h|d)$", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Offset:
    """The same number in every partition."""

    number: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The first record that is not older."""

    milliseconds: int


Point = Offset | Moment
BEGINNING = Offset(0)


def point_of(text: str, now: datetime) -> Point:
    """`1042`, `2026-11-03T03:00`, `90m` (ago), `beginning` or `now`. Raises `ValueError`.

    A time without a zone is UTC. Whatever lies before 1970 is the beginning.
    """
    if text.isascii() and text.isdigit():
        return Offset(int(text))
    if text == "beginning":
        return BEGINNING
    if text == "now":
        return Moment(_milliseconds(now))
    if ago := _AGO.match(text):
        return _ago(now, _UNITS[ago[2]], int(ago[1]))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no offset, no time such as 2026-11-03T03:00Z or 90m (ago), "
            "and not 'beginning' or 'now'"
        ) from None
    return _moment(time if time.tzinfo else time.replace(tzinfo=UTC))


def ends_before(begin: Point, end: Point) -> bool:
    """Whether a range is turned round, as far as its words tell: whatever the topic holds."""
    if end == BEGINNING:
        return True
    match begin, end:
        case Offset(number=first), Offset(number=last):
            return last < first
        case Moment(milliseconds=first), Moment(milliseconds=last):
            return last < first
    return False


def _ago(now: datetime, unit: str, number: int) -> Point:
    try:
        return _moment(now - timedelta(**{unit: number}))
    except OverflowError:  # longer ago than there are dates
        return BEGINNING


def _moment(time: datetime) -> Point:
    milliseconds = _milliseconds(time)
    return Moment(milliseconds) if milliseconds > 0 else BEGINNING


def _milliseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
