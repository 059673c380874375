"""Refresh tokens: `<session id>.<secret>`, both base64url.

The session stands in clear so that all that is asked of one session has one order on the bus,
without the gateway knowing any session. The secret says that it is one's own.
"""

import re
from uuid import UUID

from contracts import base64url
from contracts.sealed_contents import REFRESH_TOKEN

SECRET_BYTES = 32
_FORM = re.compile(REFRESH_TOKEN.strip("^$"))


def refresh_token(session_id: UUID, secret: bytes) -> str:
    """The token of a session with this secret."""
    assert len(secret) == SECRET_BYTES
    return f"{base64url.encode(session_id.bytes)}.{base64url.encode(secret)}"


def session_of(token: str) -> UUID | None:
    """The session that a token names, whether or not it is good; None when it cannot be one."""
    found = _FORM.fullmatch(token)
    return UUID(bytes=base64url.decode(found[1])) if found else None
