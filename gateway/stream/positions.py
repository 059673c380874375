"""Where a client is in its own events: an offset in each of the two topics that have them.

As `Last-Event-ID` it is encrypted (AES-SIV, RFC 5297) and bound to the user: nobody reads from it
how busy the system is, or asks for a position that was never sent.
"""

import binascii
import hashlib
import struct
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from contracts import base64url
from contracts.topics import USERS_EVENTS, WATCHLISTS_EVENTS
from infra.kafka.partitioner import partition_of_key
from infra.kafka.records import Place

OWN = (USERS_EVENTS, WATCHLISTS_EVENTS)
"""Topics whose key is the user's id, so that all of one user's lie in one partition of each."""

_FORM = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class Position:
    """The offsets that come next, in users.events and in watchlists.events."""

    users: int
    watchlists: int

    def of(self, topic: str) -> int:
        return self.users if topic == USERS_EVENTS.name else self.watchlists

    def after(self, topic: str, offset: int) -> Self:
        """With the event at this offset behind it. Never goes back."""
        if topic == USERS_EVENTS.name:
            return replace(self, users=max(self.users, offset + 1))
        return replace(self, watchlists=max(self.watchlists, offset + 1))

    def or_later(self, other: "Position") -> "Position":
        return Position(max(self.users, other.users), max(self.watchlists, other.watchlists))


class Positions:
    """Positions as clients keep them."""

    def __init__(self, gateway_key: bytes) -> None:
        key = hashlib.blake2b(gateway_key, digest_size=64, person=b"stream positions").digest()
        self._cipher = AESSIV(key)

    def to_text(self, position: Position, user_id: UUID) -> str:
        clear = _FORM.pack(position.users, position.watchlists)
        sealed = self._cipher.encrypt(clear, [user_id.bytes])
        return base64url.encode(sealed)

    def from_text(self, text: str, user_id: UUID) -> Position | None:
        """None for what was not sent to this user."""
        try:
            sealed = base64url.decode(text)
            return Position(*_FORM.unpack(self._cipher.decrypt(sealed, [user_id.bytes])))
        except (InvalidTag, binascii.Error, UnicodeEncodeError, ValueError, struct.error):
            return None


def places_of(user_id: UUID) -> tuple[Place, Place]:
    """Where a user's events lie: a partition of each topic."""
    users, watchlists = (
        (topic.name, partition_of_key(str(user_id).encode(), topic.partitions)) for topic in OWN
    )
    return users, watchlists
