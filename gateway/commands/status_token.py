"""Handles: how a client names its command. All that is needed is inside, with a MAC.

Never on the bus. One with a bad MAC was never issued; a good one without a row is pending.
"""

import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import orjson

from contracts import base64url

_MAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Handle:
    """What a handle says: which command, of what type, when, whose, with which body."""

    command_id: UUID
    type: str
    issued_at: datetime
    actor_id: UUID | None
    fingerprint: str | None

    def sign(self, key: bytes) -> str:
        actor = str(self.actor_id) if self.actor_id else None
        at = int(self.issued_at.timestamp())
        content = orjson.dumps([str(self.command_id), self.type, at, actor, self.fingerprint])
        return base64url.encode(_mac(key, content) + content)


def read_handle(key: bytes, text: str) -> Handle | None:
    """The handle, or None for a text that this key has not signed."""
    try:
        raw = base64url.decode(text)
    except (binascii.Error, ValueError):
        return None
    mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, content)):
        return None
    command_id, kind, at, actor, fingerprint = orjson.loads(content)
    return Handle(
        UUID(command_id),
        kind,
        datetime.fromtimestamp(at, UTC),
        UUID(actor) if actor else None,
        fingerprint,
    )


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, b"handle:" + content, hashlib.sha256).digest()[:_MAC_BYTES]
