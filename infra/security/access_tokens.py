"""Access tokens: JWT (RFC 7519) signed with Ed25519 (RFC 8037), checked with the public half."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts import base64url
from infra.runtime.clock import CLOCK, Clock

ISSUER = "qnt9"
AUDIENCE = "qnt9-api"
TYPE = "at+jwt"
"""The type of an access token (RFC 9068, 2.1): no other kind of token that this key signs."""
ALGORITHM = "EdDSA"
LIFETIME = timedelta(minutes=10)
SKEW = timedelta(seconds=5)
"""How far the clocks of signer and checker may differ."""


class TokenError(Exception):
    """No token of ours, or past its time."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token says is calling."""

    user_id: UUID
    session_id: UUID
    tier: str
    verified: bool
    permissions: tuple[str, ...]
    version: int
    expires_at: int


def key_id(public: bytes) -> str:
    """The JWK thumbprint (RFC 7638) of an Ed25519 public key."""
    x = base64url.encode(public)
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return base64url.encode(hashlib.sha256(canonical.encode()).digest())


def jwk(public: bytes) -> dict[str, str]:
    """The public key as a JWK."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": base64url.encode(public),
        "kid": key_id(public),
        "use": "sig",
        "alg": ALGORITHM,
    }


class TokenSigner:
    """Makes access tokens; only the accounts worker has one."""

    def __init__(self, private: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self._public = self._key.public_key().public_bytes_raw()
        self._kid = key_id(self._public)

    def checker(self) -> "TokenChecker":
        """Checks what this signs."""
        return TokenChecker(self._public)

    def sign(
        self,
        *,
        user_id: UUID,
        session_id: UUID,
        tier: str,
        verified: bool,
        permissions: Sequence[str],
        version: int,
        now: datetime,
    ) -> str:
        """Return an access token (JWT, Ed25519) that is valid for `LIFETIME` from `now` on."""
        issued = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": str(session_id),
            "iat": issued,
            "exp": issued + int(LIFETIME.total_seconds()),
            "tier": tier,
            "verified": verified,
            "permissions": [*permissions],
            "ver": version,
        }
        return jwt.encode(
            claims, self._key, algorithm=ALGORITHM, headers={"kid": self._kid, "typ": TYPE}
        )


class TokenChecker:
    """Checks access tokens with the public key."""

    def __init__(self, public: bytes, clock: Clock = CLOCK) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public)
        self._clock = clock

    def check(self, token: str, *, at: datetime | None = None) -> Principal:
        """Whom a token names that is valid now, or was valid at another time.

        Raises `TokenError`.
        """
        try:
            _check_type(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={
                    "require": ["exp", "iat", "aud", "iss", "sub", "sid", "ver"],
                    # By a clock of ours, which knows how far the host's own is off.
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
            _check_time(claims, at.timestamp() if at else self._clock.time())
            return Principal(
                UUID(claims["sub"]),
                UUID(claims["sid"]),
                str(claims["tier"]),
                bool(claims["verified"]),
                tuple(claims["permissions"]),
                int(claims["ver"]),
                int(claims["exp"]),
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError) as error:
            raise TokenError(type(error).__name__) from error


def _check_type(header: Mapping[str, object]) -> None:
    """Raise `TokenError` unless it says that this is an access token (RFC 9068, 4)."""
    kind = header.get("typ")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") != TYPE:
        raise TokenError("another type of token")


def _check_time(claims: Mapping[str, Any], at: float) -> None:
    """Raise `TokenError` unless the token was valid then."""
    leeway = SKEW.total_seconds()
    if int(claims["iat"]) > at + leeway or int(claims["exp"]) <= at - leeway:
        raise TokenError("not of this time")
