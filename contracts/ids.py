"""Identifiers (RFC 9562): version 7 sorts by time, version 8 is made from bytes of our own."""

import os
import time
from uuid import UUID

_VARIANT = 0x8000_0000_0000_0000


def uuid7() -> UUID:
    """A fresh id: 48 bits of Unix milliseconds, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    high = milliseconds << 16 | 0x7000 | random >> 68
    low = _VARIANT | random & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=high << 64 | low)


def uuid8(digest: bytes) -> UUID:
    """The id that these bytes (16 or more) always give."""
    value = int.from_bytes(digest[:16], "big")
    value &= ~(0xF000 << 64) & ~(0xC000 << 48)
    return UUID(int=value | 0x8000 << 64 | 0x8000 << 48)
