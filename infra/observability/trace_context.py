"""W3C Trace Context by hand: traces are passed on; `tracestate` is not, it may hold anything."""

import re
import secrets

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?"
)
_SAMPLED_DIGITS = "13579bdf"


def child_of(traceparent: str | None) -> str:
    """The same trace with a new span; a new trace where there is none (W3C Trace Context)."""
    parts = parse(traceparent)
    trace_id, _, flags = parts or (secrets.token_hex(16), "", "01")
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def parse(traceparent: str | None) -> tuple[str, str, str] | None:
    """Trace id, span id and flags, all hexadecimal. None for what is not a valid parent.

    Version 00 has nothing more after the flags, a later version may.
    """
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if not match or (match[1] == "00" and match[5]):
        return None
    return match[2], match[3], match[4]


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id of a valid parent, 32 hexadecimal digits; None otherwise."""
    parts = parse(traceparent)
    return parts[0] if parts else None


def is_sampled(traceparent: str | None) -> bool:
    """Whether whoever sent this records the trace. False for what is not valid, or missing."""
    # Most messages are not sampled; the last digit of version 00 tells so without parsing.
    if not traceparent or (len(traceparent) == 55 and traceparent[-1] not in _SAMPLED_DIGITS):
        return False
    parts = parse(traceparent)
    return parts is not None and int(parts[2], 16) & 1 == 1
