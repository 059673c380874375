"""What both plain services do in the same words: mail, tokens, the symbols they know."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

import aiosmtplib
import orjson
from redis.asyncio import BlockingConnectionPool, Redis

from bench.plain.settings import PlainSettings
from contracts.quotes import cache_key
from infra.security.access_tokens import LIFETIME, TokenSigner
from infra.security.refresh_tokens import SECRET_BYTES, refresh_token

REFRESH_DAYS = timedelta(days=30)
MAILED_TOKEN_LIFETIME = timedelta(hours=24)
REDIS_CONNECTIONS = 16


def open_redis(settings: PlainSettings) -> Redis:
    """A blocking pool: under load requests wait for a connection rather than fail."""
    pool = BlockingConnectionPool.from_url(settings.redis_url, max_connections=REDIS_CONNECTIONS)
    return Redis.from_pool(pool)


class Symbols:
    """The symbols that are known to exist; one that was seen is remembered."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._known: set[str] = set()

    async def exists(self, symbol: str) -> bool:
        if symbol in self._known:
            return True
        cached = await self._redis.get(cache_key(symbol))
        if cached is None or orjson.loads(cached)["quote"] is None:
            return False
        self._known.add(symbol)
        return True


@dataclass(frozen=True, slots=True)
class Account:
    """What signing in reads of a user."""

    id: UUID
    tier: str
    verified: bool
    permissions: list[str]
    version: int


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def new_token() -> str:
    return secrets.token_urlsafe(32)


def first_refresh_token(session_id: UUID) -> str:
    """Of a new session."""
    return refresh_token(session_id, secrets.token_bytes(SECRET_BYTES))


def token_pair(
    signer: TokenSigner, account: Account, session_id: UUID, refresh_token: str
) -> dict[str, str | int]:
    """What signing in answers."""
    access_token = signer.sign(
        user_id=account.id,
        session_id=session_id,
        tier=account.tier,
        verified=account.verified,
        permissions=account.permissions,
        version=account.version,
        now=datetime.now(UTC),
    )
    return {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": int(LIFETIME.total_seconds()),
        "refresh_token": refresh_token,
    }


async def send_verification(settings: PlainSettings, email: str, token: str) -> None:
    """The mail with the link, over a connection of its own."""
    message = EmailMessage()
    message["From"] = "QNT9 <no-reply@example.com>"
    message["To"] = email
    message["Subject"] = "Confirm your address"
    message.set_content(f"Open http://127.0.0.1/verify?token={token} to confirm your address.\n")
    await aiosmtplib.send(message, hostname=settings.smtp_host, port=settings.smtp_port)
