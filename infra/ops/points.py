"""Where a range begins or ends, as operators say it. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"^(\d{1,5})(s|m|h|d)$")
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


def point_of(text: str, now: datetime) -> Point:
    """`1042`, `2026-11-03T03:00`, `90m` (ago), `beginning` or `now`. Raises `ValueError`.

    A time without a zone is UTC.
    """
    if text.isascii() and text.isdigit():
        return Offset(int(text))
    if text == "beginning":
        return Offset(0)
    if text == "now":
        return Moment(_milliseconds(now))
    if ago := _AGO.match(text):
        return Moment(_milliseconds(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no offset, no time such as 2026-11-03T03:00Z or 90m (ago), "
            "and not 'beginning' or 'now'"
        ) from None
    return Moment(_milliseconds(time if time.tzinfo else time.replace(tzinfo=UTC)))


def _milliseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
