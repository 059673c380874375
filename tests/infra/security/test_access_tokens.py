"""What an access token must say to be one: each part that another token would have otherwise."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.ids import uuid7
from infra.security.access_tokens import ALGORITHM, AUDIENCE, ISSUER, TYPE, TokenChecker, TokenError

KEY = Ed25519PrivateKey.generate()
CHECKER = TokenChecker(KEY.public_key().public_bytes_raw())
USER, SESSION = uuid7(), uuid7()


def a_token(headers: dict[str, Any] | None = None, **changes: Any) -> str:
    """A good one but for what is said; None takes a claim away."""
    now = datetime.now(UTC)
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(USER),
        "sid": str(SESSION),
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "tier": "free",
        "verified": True,
        "permissions": [],
        "ver": 1,
    }
    given = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(given, KEY, algorithm=ALGORITHM, headers={"typ": TYPE} | (headers or {}))


def test_a_good_token_is_taken() -> None:
    assert CHECKER.check(a_token()).user_id == USER
    assert CHECKER.check(a_token({"typ": f"application/{TYPE}"})).session_id == SESSION


@pytest.mark.parametrize(
    "token",
    [
        a_token(aud="another-api"),
        a_token(aud=None),
        a_token(iss="https://another.example.com"),
        a_token({"typ": "JWT"}),
        a_token({"typ": "dpop+jwt"}),
        a_token({"typ": None}),
        a_token(exp=datetime.now(UTC) - timedelta(minutes=5)),
        a_token(exp=None),
        a_token(sub=None),
        a_token(sid="no-id"),
        a_token(ver=None),
    ],
)
def test_a_token_of_another_kind_audience_or_time_is_refused(token: str) -> None:
    with pytest.raises(TokenError):
        CHECKER.check(token)


def test_a_token_of_another_key_is_refused() -> None:
    other = TokenChecker(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    with pytest.raises(TokenError):
        other.check(a_token())
