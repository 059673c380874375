"""Signing up, verifying, signing in and staying so."""

import hmac
from dataclasses import replace

from contracts.commands import (
    ConfirmSignUp,
    RefreshToken,
    ResendVerification,
    SignIn,
    SignUp,
    VerifyEmail,
)
from contracts.outcomes import Rejected, SealedOutcome, Succeeded
from gateway.commands.publisher import Intent
from gateway.commands.results import CommandResult
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import Answer, Endpoint
from gateway.problems import ProblemError
from gateway.rate_limit.policies import LINK, MAIL, REFRESH, SIGN_IN, SIGN_UP
from gateway.v1.models import (
    Accepted,
    Pending,
    RefreshBody,
    ResendBody,
    SignedUp,
    SignInBody,
    SignUpBody,
    Tokens,
    Verified,
    VerifyBody,
)
from infra.security.address_hmac import address_hash
from infra.security.refresh_tokens import session_of
from infra.security.seals import SealError


async def sign_up(call: Call, deps: GatewayDeps) -> Answer:
    """Answers 202 when Kafka has the command, whether or not the address is in use.

    A repetition with the same Idempotency-Key waits for the first request: 422 if its body differs.
    """
    body = call.body(SignUpBody)
    await deps.strength.require("password", body.password, body.email, body.display_name)
    principal = principal_of(deps, body.email)
    intent = deps.commands.intent(call.context, principal)
    secret = deps.commands.secret_of(intent)
    sealed = deps.seals.for_signup(intent, {**body.model_dump(), "signup_secret": secret})
    command = SignUp(sealed=sealed)
    answer = await deps.commands.publish_once(call.context, intent, command, key=principal)
    return replace(answer, body={**answer.body, "signup_secret": secret})


async def verify(call: Call, deps: GatewayDeps) -> Answer:
    """The token of an address change is enough; that of a sign-up also needs proof."""
    body = call.body(VerifyBody)
    principal = hashed(deps, body.token)
    command: VerifyEmail | ConfirmSignUp
    if body.password is None and body.signup_secret is None:
        intent = deps.commands.intent(call.context, principal)
        command = VerifyEmail(sealed=deps.seals.for_verify(intent, {"token": body.token}))
    else:
        intent = deps.commands.intent(call.context, f"{principal} with proof")
        content = body.model_dump(exclude_none=True)
        command = ConfirmSignUp(sealed=deps.seals.for_confirmation(intent, content))
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=principal, answer=_result
    )


async def resend(call: Call, deps: GatewayDeps) -> Answer:
    body = call.body(ResendBody)
    principal = principal_of(deps, body.email)
    intent = deps.commands.intent(call.context, principal)
    sealed = deps.seals.for_resend(intent, body.model_dump())
    command = ResendVerification(sealed=sealed)
    return await deps.commands.publish(call.context, intent, command, key=principal)


async def sign_in(call: Call, deps: GatewayDeps) -> Answer:
    """Never answers 202, because the tokens are sealed for this process and this request."""
    body = call.body(SignInBody)
    principal = principal_of(deps, body.email)
    intent = deps.commands.fresh_intent()
    sealed = deps.seals.for_signin(intent, body.model_dump())
    command = SignIn(sealed=sealed, reply_key=deps.seals.reply_key)
    seconds = deps.settings.signin_seconds
    command_result = await deps.commands.request(
        call.context, intent, command, key=principal, seconds=seconds
    )
    return _tokens(deps, intent, command_result, "signin")


async def refresh(call: Call, deps: GatewayDeps) -> Answer:
    """Never answers 202, as for sign-in. Malformed refresh tokens are refused immediately."""
    return await exchanged(call, deps, call.body(RefreshBody).refresh_token)


async def exchanged(
    call: Call, deps: GatewayDeps, token: str, *, several_tabs: bool = False
) -> Answer:
    """New tokens for a refresh token. `several_tabs`: whether others may hold the same one.

    Raises `ProblemError`.
    """
    session_id = session_of(token)
    if session_id is None:
        raise ProblemError("invalid-refresh-token")
    intent = deps.commands.fresh_intent()
    content = {"refresh_token": token, "several_tabs": several_tabs}
    sealed = deps.seals.for_refresh(intent, content)
    command = RefreshToken(sealed=sealed, reply_key=deps.seals.reply_key)
    command_result = await deps.commands.request(
        call.context, intent, command, key=str(session_id), seconds=deps.settings.refresh_seconds
    )
    if command_result and command_result.outcome == Rejected("token-reused"):
        deps.access.session_ended(session_id)
    return _tokens(deps, intent, command_result, "refresh")


def _tokens(
    deps: GatewayDeps, intent: Intent, command_result: CommandResult | None, purpose: str
) -> Answer:
    """The pair, opened. Raises `ProblemError`."""
    match command_result.outcome if command_result else None:
        case SealedOutcome(sealed=outcome):
            try:
                tokens = deps.seals.open_tokens(intent, outcome, purpose)
            except SealError as error:
                raise ProblemError("try-again") from error
            return Answer(200, {"token_type": "Bearer", **tokens})
        case Rejected(code=code):
            raise ProblemError(code)
    raise ProblemError("try-again", "The request takes longer than expected.")


def _result(success: Succeeded) -> Answer:
    return Answer(200, success.result)


def principal_of(deps: GatewayDeps, email: str) -> str:
    """Who asks where nobody is signed in: whoever has the address."""
    return address_hash(deps.settings.address_key, email)


def hashed(deps: GatewayDeps, token: str) -> str:
    """What stands on the bus for a mailed token."""
    return hmac.new(deps.settings.address_key, token.encode(), "sha256").hexdigest()


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v1/auth/signup",
        sign_up,
        "Sign up; the address gets a mail with a link",
        {202: SignedUp},
        body=SignUpBody,
        command=True,
        limits=SIGN_UP,
    ),
    Endpoint(
        "POST",
        "/api/v1/auth/verify",
        verify,
        "Verify an address with the mailed token and, for a sign-up, proof",
        {200: Verified, 202: Pending},
        problems=(
            "invalid-token",
            "expired-token",
            "proof-required",
            "wrong-password",
            "try-again",
        ),
        body=VerifyBody,
        command=True,
        limits=LINK,
    ),
    Endpoint(
        "POST",
        "/api/v1/auth/verify/resend",
        resend,
        "Mail a new link; the older one stops working",
        {202: Accepted},
        body=ResendBody,
        command=True,
        limits=MAIL,
    ),
    Endpoint(
        "POST",
        "/api/v1/auth/signin",
        sign_in,
        "Exchange address and password for tokens",
        {200: Tokens},
        problems=("invalid-credentials", "try-again"),
        body=SignInBody,
        command=True,
        keyed=False,
        limits=SIGN_IN,
    ),
    Endpoint(
        "POST",
        "/api/v1/auth/refresh",
        refresh,
        "Exchange a refresh token for new tokens; reusing an old one ends the session",
        {200: Tokens},
        problems=("invalid-refresh-token", "token-reused", "try-again"),
        body=RefreshBody,
        command=True,
        keyed=False,
        limits=REFRESH,
    ),
)
