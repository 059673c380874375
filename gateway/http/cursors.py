"""Where a page of a long list ended, as a text that a client gives back."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from asyncpg import Record

from gateway.problems import ProblemError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_BYTES = 8

Place = tuple[datetime, UUID]


def page_of(rows: Sequence[Record], limit: int) -> tuple[list[Record], str | None]:
    """What is shown of one row more than that, and the cursor to the rest."""
    displayed = list(rows[:limit])
    if len(rows) <= limit:
        return displayed, None
    return displayed, write_cursor((displayed[-1]["created_at"], displayed[-1]["id"]))


def write_cursor(place: Place) -> str:
    """It says nothing that the page does not."""
    microseconds = (place[0] - _EPOCH) // timedelta(microseconds=1)
    raw = microseconds.to_bytes(_TIME_BYTES, "big", signed=True) + place[1].bytes
    return base64.urlsafe_b64encode(raw).decode()


def read_cursor(cursor: str | None) -> Place | None:
    """None for none. Raises `ProblemError`."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
        microseconds = int.from_bytes(raw[:_TIME_BYTES], "big", signed=True)
        at = _EPOCH + timedelta(microseconds=microseconds)
        return at, UUID(bytes=raw[_TIME_BYTES:])
    except (binascii.Error, ValueError, OverflowError):
        fault = {"field": "cursor", "message": "must be the next_cursor of a page"}
        raise ProblemError("invalid-fields", errors=[fault]) from None
