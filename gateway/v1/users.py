"""The caller's own account."""

from contracts.commands import UpdateProfile
from contracts.outcomes import Succeeded
from gateway import queries
from gateway.http.endpoints import AccessLevel, Answer, Call, Endpoint
from gateway.http.problems import ProblemError
from gateway.rate_limit.policies import READ, WRITE
from gateway.v1.models import Pending, Profile, ProfileBody


async def me(call: Call) -> Answer:
    return Answer(200, await _profile(call))


async def update(call: Call) -> Answer:
    """Omitted fields stay unchanged."""
    user = str(call.caller.user_id)
    intent = call.deps.commands.intent(call, user)
    content = call.body(ProfileBody).model_dump(exclude_unset=True)
    command = UpdateProfile(sealed=call.deps.seals.for_profile(intent, content))
    command_result = await call.deps.commands.publish_and_wait(
        call, intent, command, key=user, answer=_updated
    )
    # The outcome holds nothing personal: the profile is read, and has the change.
    return (
        command_result
        if command_result.status != 200
        else Answer(200, await _profile(call), command_result.headers)
    )


def _updated(_: Succeeded) -> Answer:
    return Answer(200)


async def _profile(call: Call) -> dict[str, object]:
    row = await queries.profile(call.deps.pool, call.caller.user_id)
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
