"""The caller's own account."""

from contracts.commands import UpdateProfile
from contracts.outcomes import Succeeded
from gateway import queries
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import AccessLevel, Answer, Endpoint
from gateway.problems import ProblemError
from gateway.rate_limit.policies import READ, WRITE
from gateway.v1.models import Pending, Profile, ProfileBody


async def me(call: Call, deps: GatewayDeps) -> Answer:
    return Answer(200, await _profile(call, deps))


async def update(call: Call, deps: GatewayDeps) -> Answer:
    """Omitted fields stay unchanged."""
    user = str(call.caller.user_id)
    intent = deps.commands.intent(call.context, user)
    content = call.body(ProfileBody).model_dump(exclude_unset=True)
    command = UpdateProfile(sealed=deps.seals.for_profile(intent, content))
    command_result = await deps.commands.publish_and_wait(
        call.context, intent, command, key=user, answer=_updated
    )
    # The outcome holds nothing personal: the profile is read, and has the change.
    return (
        command_result
        if command_result.status != 200
        else Answer(200, await _profile(call, deps), command_result.headers)
    )


def _updated(_: Succeeded) -> Answer:
    return Answer(200)


async def _profile(call: Call, deps: GatewayDeps) -> dict[str, object]:
    row = await queries.profile(deps.pool, call.caller.user_id)
    if row is None:
        raise ProblemError("unauthenticated", "The account does not exist any more.")
    return dict(row)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/users/me",
        me,
        "The profile",
        {200: Profile},
        access=AccessLevel.SIGNED_IN,
        limits=READ,
    ),
    Endpoint(
        "PATCH",
        "/api/v1/users/me",
        update,
        "Change the profile",
        {200: Profile, 202: Pending},
        problems=("unknown-user",),
        access=AccessLevel.SIGNED_IN,
        body=ProfileBody,
        command=True,
        limits=WRITE,
    ),
)
