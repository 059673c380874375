"""What happens, as it happens: Server-Sent Events."""

from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import AccessLevel, Answer, Endpoint
from gateway.http.response import EventStream
from gateway.rate_limit.policies import STREAM
from gateway.stream.tickets import TICKET_SECONDS
from gateway.v1.models import StreamQuery, Ticket


async def stream(call: Call, deps: GatewayDeps) -> EventStream:
    """Starts now, or after `Last-Event-ID`, without missing or repeated events.

    `own`: an event about the caller, each once and in order. `snapshot`: quotes by symbol, of the
    whole watchlist at first, later of a symbol that was added. `quote`: a new price.

    `reset`: own events may be missing (`position-too-old` or `position-unknown`); read the
    resources again. `end`: why the stream ends: `session-ended`, `token-expired`, `draining`,
    `too-slow` or `try-again`.
    """
    last = call.request.headers.get("last-event-id") or call.query(StreamQuery).last_event_id
    return await deps.streams.open(call.context, last or "")


async def ticket(call: Call, deps: GatewayDeps) -> Answer:
    """For `EventSource`, which cannot send headers. A reconnect needs a new ticket."""
    issued = await deps.tickets.issue(call.caller)
    return Answer(200, {"ticket": issued, "expires_in": TICKET_SECONDS})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/stream",
        stream,
        "Own events and the quotes of the watchlist, as Server-Sent Events",
        {200: None},
        problems=("too-many-streams", "try-again"),
        access=AccessLevel.VERIFIED,
        limits=STREAM,
        by_ticket=True,
        media_type="text/event-stream",
        query=StreamQuery,
    ),
    Endpoint(
        "POST",
        "/api/v1/stream/ticket",
        ticket,
        "A ticket that opens the stream once, within 30 seconds",
        {200: Ticket},
        problems=("try-again",),
        access=AccessLevel.VERIFIED,
        limits=STREAM,
    ),
)
