"""Signing up, verifying, signing in and staying so."""

import hmac

from contracts.commands import RefreshToken, ResendVerification, SignIn, SignUp, VerifyEmail
from contracts.outcomes import Rejected, SealedOutcome, Succeeded
from gateway.commands import Intent
from gateway.endpoints import Answer, Call, Endpoint
from gateway.limits.policies import LINK, MAIL, REFRESH, SIGN_IN, SIGN_UP
from gateway.outcomes import Told
from gateway.problems import ProblemError
from gateway.v1.models import (
    Accepted,
    Pending,
    RefreshBody,
    ResendBody,
    SignInBody,
    SignUpBody,
    Tokens,
    Verified,
    VerifyBody,
)
from infra.addresses import address_hash
from infra.refresh_tokens import session_of
from infra.seals import SealError


async def sign_up(call: Call) -> Answer:
    """202 once Kafka has it, whether or not the address is taken.

    Sent again with the same Idempotency-Key, it waits for the first: 422 if that had another body.
    """
    body = call.body(SignUpBody)
    principal = principal_of(call, body.email)
    intent = call.edge.commands.intent(call, principal)
    sealed = call.edge.seals.for_signup(intent, body.model_dump())
    return await call.edge.commands.accept_once(call, intent, SignUp(sealed=sealed), key=principal)


async def verify(call: Call) -> Answer:
    token = call.body(VerifyBody).token
    principal = hashed(call, token)
    intent = call.edge.commands.intent(call, principal)
    sealed = call.edge.seals.for_verify(intent, {"token": token})
    command = VerifyEmail(sealed=sealed)
    return await call.edge.commands.perform(call, intent, command, key=principal, answer=_result)


async def resend(call: Call) -> Answer:
    body = call.body(ResendBody)
    principal = principal_of(call, body.email)
    intent = call.edge.commands.intent(call, principal)
    sealed = call.edge.seals.for_resend(intent, body.model_dump())
    command = ResendVerification(sealed=sealed)
    return await call.edge.commands.accept(call, intent, command, key=principal)


async def sign_in(call: Call) -> Answer:
    """Never 202: the tokens are sealed to this process and bound to this request's command."""
    body = call.body(SignInBody)
    principal = principal_of(call, body.email)
    intent = call.edge.commands.fresh_intent()
    sealed = call.edge.seals.for_signin(intent, body.model_dump())
    command = SignIn(sealed=sealed, reply_key=call.edge.seals.reply_key)
    seconds = call.edge.settings.signin_seconds
    told = await call.edge.commands.ask(call, intent, command, key=principal, seconds=seconds)
    return _tokens(call, intent, told, "signin")


async def refresh(call: Call) -> Answer:
    """Never 202, as signing in. What is no refresh token of ours goes no further."""
    body = call.body(RefreshBody)
    session_id = session_of(body.refresh_token)
    if session_id is None:
        raise ProblemError("invalid-refresh-token")
    intent = call.edge.commands.fresh_intent()
    sealed = call.edge.seals.for_refresh(intent, body.model_dump())
    command = RefreshToken(sealed=sealed, reply_key=call.edge.seals.reply_key)
    told = await call.edge.commands.ask(
        call, intent, command, key=str(session_id), seconds=call.edge.settings.refresh_seconds
    )
    if told and told.outcome == Rejected("token-reused"):
        call.edge.access.session_ended(session_id)
    return _tokens(call, intent, told, "refresh")


def _tokens(call: Call, intent: Intent, told: Told | None, purpose: str) -> Answer:
    """The pair, opened. Raises `ProblemError`."""
    match told.outcome if told else None:
        case SealedOutcome(sealed=outcome):
            try:
                tokens = call.edge.seals.open_tokens(intent, outcome, purpose)
            except SealError as error:
                raise ProblemError("try-again") from error
            return Answer(200, {"token_type": "Bearer", **tokens})
        case Rejected(code=code):
            raise ProblemError(code)
    raise ProblemError("try-again", "This takes longer than it should.")


def _result(success: Succeeded) -> Answer:
    return Answer(200, success.result)


def principal_of(call: Call, email: str) -> str:
    """Who asks where nobody is signed in: whoever has the address."""
    return address_hash(call.edge.settings.address_key, email)


def hashed(call: Call, token: str) -> str:
    """What stands on the bus for a mailed token."""
    return hmac.new(call.edge.settings.address_key, token.encode(), "sha256").hexdigest()


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v1/auth/signup",
        sign_up,
        "Sign up; a mail tells the owner of the address what to do",
        {202: Accepted},
        body=SignUpBody,
        command=True,
        limits=SIGN_UP,
    ),
    Endpoint(
        "POST",
        "/api/v1/auth/verify",
        verify,
        "Verify an address with the token that was mailed to it",
        {200: Verified, 202: Pending},
        problems=("invalid-token", "expired-token"),
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
        "Exchange a refresh token for a new pair; a spent one, used again later, ends the session",
        {200: Tokens},
        problems=("invalid-refresh-token", "token-reused", "try-again"),
        body=RefreshBody,
        command=True,
        keyed=False,
        limits=REFRESH,
    ),
)
