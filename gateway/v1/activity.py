"""What happened to the caller's account."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway import views
from gateway.endpoints import Answer, Call, Endpoint, Who
from gateway.limits.policies import READ
from gateway.problems import ProblemError
from gateway.v1.models import Activity, Page

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_BYTES = 8

Place = tuple[datetime, UUID]


async def show(call: Call) -> Answer:
    """The caller's own entries of the audit log: an event is there within a second."""
    page = call.query(Page)
    before = read_cursor(page.cursor) if page.cursor else None
    rows = await views.activity(
        call.edge.pool, call.caller.user_id, before=before, limit=page.limit + 1
    )
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    cursor = write_cursor((shown[-1]["created_at"], shown[-1]["id"])) if more else None
    return Answer(200, {"activity": [dict(row) for row in shown], "next_cursor": cursor})


def write_cursor(place: Place) -> str:
    """Where a page ended. It says nothing that the page does not."""
    microseconds = (place[0] - _EPOCH) // timedelta(microseconds=1)
    raw = microseconds.to_bytes(_TIME_BYTES, "big", signed=True) + place[1].bytes
    return base64.urlsafe_b64encode(raw).decode()


def read_cursor(cursor: str) -> Place:
    """Raises `ProblemError`."""
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
        microseconds = int.from_bytes(raw[:_TIME_BYTES], "big", signed=True)
        at = _EPOCH + timedelta(microseconds=microseconds)
        return at, UUID(bytes=raw[_TIME_BYTES:])
    except (binascii.Error, ValueError, OverflowError):
        fault = {"field": "cursor", "message": "must be the next_cursor of a page"}
        raise ProblemError("invalid-fields", errors=[fault]) from None


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/users/me/activity",
        show,
        "What happened to the account, newest first",
        {200: Activity},
        who=Who.SIGNED_IN,
        query=Page,
        limits=READ,
    ),
)
