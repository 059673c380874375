"""What became of a command."""

from typing import Any

from contracts.outcomes import Rejected, Succeeded, outcome_of
from gateway import queries
from gateway.commands.status_token import Handle, read_handle
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import Answer, Endpoint
from gateway.problems import PROBLEMS, ProblemError
from gateway.rate_limit.policies import STATUS
from gateway.v1.models import CommandStatus
from infra.runtime.clock import CLOCK


async def show(call: Call, deps: GatewayDeps) -> Answer:
    handle = read_handle(deps.settings.gateway_key, call.path("handle"))
    if handle is None:
        raise ProblemError("not-found", "The status token is not valid.")
    _may_see(call, deps, handle)
    old = CLOCK.now() - handle.issued_at > deps.settings.outcomes_kept
    rows = [] if old else await queries.outcomes(deps.pool, [handle.command_id])
    status: dict[str, Any] = {"id": call.path("handle"), "type": handle.type, "parked": False}
    if not rows:
        status["status"] = "pending"
        status["parked"] = await queries.is_parked(deps.pool, handle.command_id)
        if old and not status["parked"]:
            raise ProblemError("command-forgotten")
        return Answer(200, status, (("Retry-After", "1"),))
    # A discarded command has none where it was inside of the seal.
    other_body = handle.fingerprint and rows[0]["fingerprint"] not in {None, handle.fingerprint}
    try:
        reused = Rejected("idempotency-key-reused")
        outcome = reused if other_body else outcome_of(rows[0]["outcome"])
    except ValueError:
        raise ProblemError("internal-error", "The result cannot be read.") from None
    match outcome:
        case Succeeded(result=result):
            status |= {"status": "succeeded", "result": result}
        case Rejected(code=code, detail=detail):
            title = PROBLEMS[code].title if code in PROBLEMS else code
            problem = {"code": code, "title": title, "detail": detail}
            status |= {"status": "failed", "problem": problem}
        case _:
            status |= {"status": "succeeded"}
    return Answer(200, status)


def _may_see(call: Call, deps: GatewayDeps, handle: Handle) -> None:
    """A signed-in user's command is seen with that user's token alone."""
    if handle.actor_id is None:
        return
    if deps.authenticator.principal(call.request).user_id != handle.actor_id:
        raise ProblemError("not-found", "The status token is not valid.")


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/commands/{handle}",
        show,
        "The status of a command that was answered with 202",
        {200: CommandStatus},
        problems=("unauthenticated", "not-found", "command-forgotten", "reads-unavailable"),
        limits=STATUS,
    ),
)
