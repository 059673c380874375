"""Who is calling: what a token proves, and which address is believed."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.types import Message

from gateway.auth.authentication import AGENT_CHARACTERS
from gateway.http.endpoints import AccessLevel
from gateway.http.request import GatewayRequest
from gateway.problems import ProblemError
from infra.security.access_tokens import LIFETIME, TokenSigner
from infra.security.client_cipher import Client
from tests.support.gateway.authenticators import PRIVATE, authenticator

USER = uuid4()


def a_request(*headers: tuple[str, str], peer: str | None = "192.0.2.1") -> GatewayRequest:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    client = (peer, 4711) if peer else None
    scope = {"type": "http", "method": "GET", "path": "/", "headers": raw, "client": client}
    return GatewayRequest(scope, no_body)


async def no_body() -> Message:
    raise AssertionError("there is no body to read")


def a_token(
    private: bytes = PRIVATE, *, ago: timedelta = timedelta(), verified: bool = True
) -> str:
    return TokenSigner(private).sign(
        user_id=USER,
        session_id=uuid4(),
        tier="free",
        verified=verified,
        permissions=[],
        version=1,
        now=datetime.now(UTC) - ago,
    )


async def test_a_token_says_who_is_calling() -> None:
    request = a_request(("authorization", f"bearer {a_token()}"))
    for _ in range(2):  # the second time from memory
        caller = await authenticator().authenticate(request, AccessLevel.VERIFIED)
        assert caller
        assert caller.user_id == USER


async def test_where_anyone_may_call_no_one_is_asked() -> None:
    assert (
        await authenticator().authenticate(a_request(("authorization", "x")), AccessLevel.ANYONE)
        is None
    )


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic dXNlcjpwYXNzd29yZA==",
        f"Bearer {a_token(os.urandom(32))}",
        f"Bearer {a_token(ago=LIFETIME + timedelta(seconds=1))}",
        f"Bearer {a_token()[:-4]}AAAA",
    ],
)
async def test_anything_but_a_valid_token_is_no_one(authorization: str) -> None:
    with pytest.raises(ProblemError) as error:
        await authenticator().authenticate(
            a_request(("authorization", authorization)), AccessLevel.SIGNED_IN
        )
    assert error.value.code == "unauthenticated"
    assert error.value.headers["WWW-Authenticate"].startswith("Bearer ")


def signed(claims: dict[str, Any], typ: str | None = "at+jwt") -> str:
    """A token of the right key with other claims or another type; None: without."""
    good = jwt.decode(a_token(), options={"verify_signature": False})
    changed = {name: value for name, value in (good | claims).items() if value is not None}
    key = Ed25519PrivateKey.from_private_bytes(PRIVATE)
    return jwt.encode(changed, key, algorithm="EdDSA", headers={"typ": typ})


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_access_token_of_this_api_is_taken(typ: str) -> None:
    token = signed({"aud": ["another", "qnt9-api"]}, typ)
    assert (
        authenticator().principal(a_request(("authorization", f"Bearer {token}"))).user_id == USER
    )


@pytest.mark.parametrize(
    "token",
    [
        signed({"aud": None}),
        signed({"aud": "another"}),
        signed({"aud": []}),
        signed({"iss": "another"}),
        signed({"iss": None}),
        signed({}, "JWT"),
        signed({}, None),
        signed({}, "checkpoint+jwt"),
    ],
)
def test_token_for_another_audience_or_of_another_type_is_refused(token: str) -> None:
    with pytest.raises(ProblemError, match="unauthenticated"):
        authenticator().principal(a_request(("authorization", f"Bearer {token}")))


def test_a_remembered_token_ends_when_it_expires() -> None:
    remembering = authenticator()
    token = a_token()
    request = a_request(("authorization", f"Bearer {token}"))
    found = remembering.principal(request)
    remembering._checked[token] = replace(found, expires_at=0)
    with pytest.raises(ProblemError) as error:
        remembering.principal(request)
    assert error.value.detail == "The token has expired."


def test_a_clock_that_is_a_little_ahead_keeps_no_one_out() -> None:
    token = a_token(ago=timedelta(seconds=-3))
    assert (
        authenticator().principal(a_request(("authorization", f"Bearer {token}"))).user_id == USER
    )


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "believed"),
    [
        ([], "192.0.2.1", ["203.0.113.7"], "192.0.2.1"),
        (["10.0.0.0/8"], "192.0.2.1", ["203.0.113.7"], "192.0.2.1"),
        (["10.0.0.0/8"], "10.1.2.3", [], "10.1.2.3"),
        (["10.0.0.0/8"], "10.1.2.3", ["203.0.113.7"], "203.0.113.7"),
        (["10.0.0.0/8"], "10.1.2.3", ["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        (["10.0.0.0/8"], "10.1.2.3", ["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
        (["10.0.0.0/8"], "10.1.2.3", ["203.0.113.7, 10.9.9.9"], "203.0.113.7"),
        (["10.0.0.0/8"], "10.1.2.3", ["6.6.6.6, unknown"], "10.1.2.3"),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", ["203.0.113.7"], "203.0.113.7"),
        (["10.0.0.0/8"], "10.1.2.3", ["2001:db8::7"], "2001:db8::7"),
    ],
)
def test_a_forwarded_address_is_believed_from_trusted_proxies_alone(
    trusted: list[str], peer: str, forwarded: list[str], believed: str
) -> None:
    headers = [("x-forwarded-for", line) for line in forwarded]
    assert authenticator(*trusted).client(a_request(*headers, peer=peer)).ip == believed


def test_a_client_may_be_without_address_and_agent() -> None:
    assert authenticator("10.0.0.0/8").client(a_request(peer=None)) == Client(None, None)


def test_a_long_agent_is_cut() -> None:
    client = authenticator().client(a_request(("user-agent", "x" * 5_000)))
    assert client.agent == "x" * AGENT_CHARACTERS
