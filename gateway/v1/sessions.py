"""The caller's sessions."""

from uuid import UUID

from contracts.commands import RevokeSession, SignOut
from contracts.outcomes import Succeeded
from gateway import queries
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import AccessLevel, Answer, Endpoint, Link
from gateway.problems import ProblemError
from gateway.rate_limit.policies import READ, WRITE
from gateway.v1.models import Pending
from gateway.v1.session_models import OpenSessions


async def sign_out(call: Call, deps: GatewayDeps) -> Answer:
    """An Idempotency-Key identifies a repetition within one session only."""
    session_id = call.caller.session_id
    command = SignOut(session_id=session_id)
    return await _end(call, deps, session_id, command, principal=str(session_id))


async def revoke(call: Call, deps: GatewayDeps) -> Answer:
    """The session of another user gets the same answer as one that does not exist."""
    try:
        session_id = UUID(call.path("id"))
    except ValueError:
        raise ProblemError("unknown-session") from None
    command = RevokeSession(session_id=session_id)
    return await _end(call, deps, session_id, command, principal=str(call.caller.user_id))


async def show(call: Call, deps: GatewayDeps) -> Answer:
    rows = await queries.open_sessions(deps.pool, call.caller.user_id)
    sessions = [{**row, "current": row["id"] == call.caller.session_id} for row in rows]
    return Answer(200, {"sessions": sessions})


async def _end(
    call: Call,
    deps: GatewayDeps,
    session_id: UUID,
    command: SignOut | RevokeSession,
    *,
    principal: str,
) -> Answer:
    def ended(_: Succeeded) -> Answer:
        deps.access.session_ended(session_id)
        return Answer(204)

    intent = deps.commands.intent(call.context, principal)
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=str(session_id), answer=ended
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v1/auth/signout",
        sign_out,
        "End this session: its access and refresh tokens stop working everywhere",
        {202: Pending, 204: None},
        access=AccessLevel.SIGNED_IN,
        command=True,
        limits=WRITE,
    ),
    Endpoint(
        "GET",
        "/api/v1/users/me/sessions",
        show,
        "The caller's sessions, the most recently used first",
        {200: OpenSessions},
        links=(Link("sessions_revoke", {"id": "$response.body#/sessions/0/id"}),),
        access=AccessLevel.SIGNED_IN,
        limits=READ,
    ),
    Endpoint(
        "DELETE",
        "/api/v1/users/me/sessions/{id}",
        revoke,
        "End one session, this or another",
        {202: Pending, 204: None},
        problems=("unknown-session",),
        access=AccessLevel.SIGNED_IN,
        command=True,
        limits=WRITE,
    ),
)
