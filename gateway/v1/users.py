"""The caller's own account."""

from gateway import views
from gateway.endpoints import Answer, Call, Endpoint, Who
from gateway.limits.policies import READ
from gateway.problems import ProblemError
from gateway.v1.models import Profile


async def me(call: Call) -> Answer:
    row = await views.profile(call.edge.pool, call.caller.user_id)
    if row is None:
        raise ProblemError("unauthenticated", "The account is no more.")
    return Answer(200, dict(row))


ENDPOINTS = (
    Endpoint(
        "GET", "/api/v1/users/me", me, "The profile", {200: Profile}, who=Who.SIGNED_IN, limits=READ
    ),
)
