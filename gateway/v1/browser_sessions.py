"""Sessions of browsers: the refresh token is in a cookie that no script can read."""

from dataclasses import replace

from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import AccessLevel, Answer, Endpoint
from gateway.problems import ProblemError
from gateway.rate_limit.policies import REFRESH, SIGN_IN, WRITE
from gateway.v1 import auth, sessions
from gateway.v1.models import BrowserTokens, Pending, SignInBody

PATH = "/api/v1/auth/session"
LIFETIME_SECONDS = 30 * 24 * 3600
"""As long as a refresh token lasts that nobody uses (`workers.accounts.rules`)."""
_ENDED = {"invalid-refresh-token", "token-reused"}


async def sign_in(call: Call, deps: GatewayDeps) -> Answer:
    """Sets the cookie. Never answers 202, as for sign-in without a cookie."""
    return _with_cookie(deps, await auth.sign_in(call, deps))


async def refresh(call: Call, deps: GatewayDeps) -> Answer:
    """The token is that of the cookie, which gets its successor.

    Tabs that refresh at once get the same successor: a token that is younger than ten seconds is
    not exchanged again. After 401 the cookie is gone.
    """
    token = call.request.cookies.get(cookie_name(deps), "")
    try:
        answer = await auth.exchanged(call, deps, token, several_tabs=True)
    except ProblemError as error:
        if error.code in _ENDED:
            error.headers["Set-Cookie"] = _cookie(deps, "", 0)
        raise
    return _with_cookie(deps, answer)


async def sign_out(call: Call, deps: GatewayDeps) -> Answer:
    """Ends the session of the access token, and removes the cookie."""
    answer = await sessions.sign_out(call, deps)
    return replace(answer, headers=(*answer.headers, ("Set-Cookie", _cookie(deps, "", 0))))


def cookie_name(deps: GatewayDeps) -> str:
    """The prefix says to browsers that only HTTPS may set it (RFC 6265bis, 4.1.3.1)."""
    return "qnt9_refresh" if deps.settings.environment == "development" else "__Secure-qnt9_refresh"


def _with_cookie(deps: GatewayDeps, answer: Answer) -> Answer:
    """The same answer with its refresh token in the cookie instead of the body."""
    body = {name: value for name, value in answer.body.items() if name != "refresh_token"}
    cookie = _cookie(deps, answer.body["refresh_token"], LIFETIME_SECONDS)
    return replace(answer, body=body, headers=(*answer.headers, ("Set-Cookie", cookie)))


def _cookie(deps: GatewayDeps, token: str, seconds: int) -> str:
    attributes = f"Path={PATH}; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict"
    return f"{cookie_name(deps)}={token}; {attributes}"


ENDPOINTS = (
    Endpoint(
        "POST",
        PATH,
        sign_in,
        "Sign in from a page: the refresh token comes as a cookie",
        {200: BrowserTokens},
        problems=("invalid-credentials", "try-again"),
        body=SignInBody,
        command=True,
        keyed=False,
        limits=SIGN_IN,
        for_pages=True,
    ),
    Endpoint(
        "POST",
        f"{PATH}/refresh",
        refresh,
        "Exchange the cookie for a new access token and its successor",
        {200: BrowserTokens},
        problems=("invalid-refresh-token", "token-reused", "try-again"),
        command=True,
        keyed=False,
        limits=REFRESH,
        for_pages=True,
        by_cookie=True,
    ),
    Endpoint(
        "DELETE",
        PATH,
        sign_out,
        "End this session and remove the cookie",
        {202: Pending, 204: None},
        access=AccessLevel.SIGNED_IN,
        command=True,
        limits=WRITE,
        for_pages=True,
    ),
)
