"""What a client prefers and repeats: `Prefer` (RFC 7240) and `Idempotency-Key`."""

import re
from dataclasses import dataclass

from gateway.problems import ProblemError

_KEY = re.compile(r"^[\x21\x23-\x7e][\x20\x21\x23-\x7e]{0,253}[\x21\x23-\x7e]?$")
_WAIT = re.compile(r"^wait\s*=\s*\"?(\d+)\"?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Preference:
    """How long to wait for the outcome, and what of the wish was granted."""

    seconds: float
    applied: str | None = None


def preference(header: str | None, *, default: float, most: float) -> Preference:
    """Unknown preferences are ignored and the first of several alike counts, as the RFC has it.

    `respond-async` beside `wait=N` is what happens anyway: an answer within N seconds, or 202.
    """
    if header is None:
        return Preference(default)
    tokens = [part.split(";")[0].strip() for part in header.split(",")]
    for match in filter(None, map(_WAIT.match, tokens)):
        seconds = min(float(match[1]), most)
        return Preference(seconds, f"wait={seconds:g}")
    if "respond-async" in map(str.lower, tokens):
        return Preference(0.0, "respond-async")
    return Preference(default)


def idempotency_key(header: str | None) -> str | None:
    """The key, quoted (as the IETF draft has it) or bare. Raises `ProblemError`."""
    if header is None:
        return None
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.match(key):
        raise ProblemError("invalid-idempotency-key", "1 to 255 printable ASCII characters")
    return key
