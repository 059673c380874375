"""W3C Trace Context by hand: traces are passed on; `tracestate` is not, it may hold anything."""

import re
import secrets

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-[\x21-\x7e]*)?"
)


def child_of(traceparent: str | None) -> str:
    """The same trace with a new span; a new trace where there is none (W3C Trace Context)."""
    match = _parent(traceparent)
    trace_id, flags = (match[2], match[3]) if match else (secrets.token_hex(16), "01")
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def _parent(traceparent: str | None) -> re.Match[str] | None:
    """A valid traceparent: version 00 has nothing more, a later one may."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return None if match and match[1] == "00" and match[4] else match
