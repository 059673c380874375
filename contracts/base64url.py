"""base64url without padding (RFC 4648, 5), as tokens, keys and seals have it."""

import base64


def encode(raw: bytes) -> str:
    """Return the bytes as text without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of a text with or without padding.

    Characters outside the alphabet are skipped. Raises `ValueError` where what is left has no
    length that base64 can have, and for a text that is not ASCII.
    """
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
