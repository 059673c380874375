"""Identifiers (RFC 9562): version 7 sorts by time, version 8 is made from bytes of our own."""

import os
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

_VARIANT = 0x8000_0000_0000_0000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM_BITS = (1 << 74) - 1


def uuid7() -> UUID:
    """A fresh id: 48 bits of Unix milliseconds, 74 random bits."""
    return _uuid7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big"))


def derived_uuid7(at: datetime, *parts: object) -> UUID:
    """The id that this time and these parts always give: 74 bits of their SHA-256, not random.

    Handling a message a second time gives what it makes the same id as the first time. `at` is
    the time of the message, so that the id sorts beside it. Parts are compared as text.
    """
    digest = sha256()
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(4, "big") + text)
    milliseconds = max(0, (at - _EPOCH) // timedelta(milliseconds=1))
    return _uuid7(milliseconds, int.from_bytes(digest.digest()[:10], "big"))


def time_of(id_: UUID) -> datetime:
    """The time in the first 48 bits of an id of version 7."""
    return _EPOCH + timedelta(milliseconds=id_.int >> 80)


def uuid8(digest: bytes) -> UUID:
    """The id that these bytes (16 or more) always give."""
    value = int.from_bytes(digest[:16], "big")
    value &= ~(0xF000 << 64) & ~(0xC000 << 48)
    return UUID(int=value | 0x8000 << 64 | 0x8000 << 48)


def _uuid7(milliseconds: int, random: int) -> UUID:
    random &= _RANDOM_BITS
    high = (milliseconds & (1 << 48) - 1) << 16 | 0x7000 | random >> 62
    low = _VARIANT | random & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=high << 64 | low)
