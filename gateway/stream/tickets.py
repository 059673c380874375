"""Tickets: what stands for an access token in a URL, where a browser can send no header.

Random, of one use, within 30 s. The cache server has their hashes alone, and what it says of them
counts only under our MAC: whoever writes there becomes nobody.
"""

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import asdict
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.problems import ProblemError
from infra.runtime.tls import kind_of
from infra.security.access_tokens import Principal

log = structlog.get_logger(__name__)

TICKET_SECONDS = 30
ANSWER_SECONDS = 1.0
_MAC_BYTES = 32
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="qnt9", error="invalid_token"'}


class Tickets:
    """Issued for a caller, redeemed once, by whatever gateway."""

    def __init__(self, redis: Redis, gateway_key: bytes) -> None:
        self._redis = redis
        self._key = hashlib.blake2b(gateway_key, digest_size=32, person=b"stream tickets").digest()

    async def issue(self, principal: Principal) -> str:
        """Raises `ProblemError` without the cache server."""
        ticket = secrets.token_urlsafe(32)
        holder = orjson.dumps(asdict(principal))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                value = self._mac(ticket, holder) + holder
                await self._redis.set(_name(ticket), value, ex=TICKET_SECONDS)
        except (RedisError, OSError) as error:
            raise _away(error) from error
        return ticket

    async def redeem(self, ticket: str) -> Principal:
        """Whose it is; afterwards it is nobody's. Raises `ProblemError`."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                value = await self._redis.getdel(_name(ticket)) or b""
        except (RedisError, OSError) as error:
            raise _away(error) from error
        assert isinstance(value, bytes), "the client decodes nothing"
        mac, holder = value[:_MAC_BYTES], value[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(ticket, holder)):
            raise ProblemError(
                "unauthenticated", "The ticket is invalid or expired.", headers=_CHALLENGE
            )
        found = orjson.loads(holder)
        found |= {name: UUID(found[name]) for name in ("user_id", "session_id")}
        return Principal(**found | {"permissions": tuple(found["permissions"])})

    def _mac(self, ticket: str, holder: bytes) -> bytes:
        return hmac.digest(self._key, ticket.encode() + b"\0" + holder, "sha256")


def _name(ticket: str) -> str:
    return f"qnt9:ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"


def _away(error: Exception) -> ProblemError:
    log.warning("tickets_unavailable", error=kind_of(error))
    return ProblemError("try-again", "Tickets are unavailable because the cache server is away.")
