"""W3C Trace Context by hand: what is passed on of `traceparent` and `tracestate`."""

import re
import secrets
from collections.abc import Mapping

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-[\x21-\x7e]*)?"
)
_TRACESTATE_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MAX_TRACESTATE_MEMBERS = 32
_MAX_TRACESTATE_CHARACTERS = 512


def child_of(traceparent: str | None) -> str:
    """The same trace with a new span; a new trace where there is none (W3C Trace Context)."""
    match = _parent(traceparent)
    trace_id, flags = (match[2], match[3]) if match else (secrets.token_hex(16), "01")
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def trace_state(headers: Mapping[str, str]) -> str | None:
    """The tracestate of a request: what may be kept of it, or None.

    It is kept whole or not at all, and never without a valid traceparent (W3C Trace Context, 3.3).
    """
    value = headers.get("tracestate")
    if value is None or not _parent(headers.get("traceparent")):
        return None
    members = [member for each in value.split(",") if (member := each.strip(" \t"))]
    names = {member.partition("=")[0] for member in members}
    if (
        not 0 < len(members) <= _MAX_TRACESTATE_MEMBERS
        or len(names) != len(members)
        or not all(map(_TRACESTATE_MEMBER.fullmatch, members))
    ):
        return None
    kept = ",".join(members)
    return kept if len(kept) <= _MAX_TRACESTATE_CHARACTERS else None


def _parent(traceparent: str | None) -> re.Match[str] | None:
    """A valid traceparent: version 00 has nothing more, a later one may."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return None if match and match[1] == "00" and match[4] else match
