"""What happened to the caller's account."""

from gateway import queries
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.cursors import page_of, read_cursor
from gateway.http.endpoints import AccessLevel, Answer, Endpoint
from gateway.rate_limit.policies import READ
from gateway.v1.models import Activity, Page


async def show(call: Call, deps: GatewayDeps) -> Answer:
    """The caller's own entries of the audit log. A new event appears within a second."""
    page = call.query(Page)
    before = read_cursor(page.cursor)
    rows = await queries.activity(
        deps.pool, call.caller.user_id, before=before, limit=page.limit + 1
    )
    displayed, cursor = page_of(rows, page.limit)
    return Answer(200, {"activity": [dict(row) for row in displayed], "next_cursor": cursor})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/users/me/activity",
        show,
        "The activity of the account, newest first",
        {200: Activity},
        access=AccessLevel.SIGNED_IN,
        query=Page,
        limits=READ,
    ),
)
