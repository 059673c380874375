"""What a client prefers and repeats: `Prefer` (RFC 7240) and `Idempotency-Key`."""

import re
from dataclasses import dataclass

from gateway.http.header_fields import QUOTED, TCHAR, members, unquoted
from gateway.problems import ProblemError

_KEY = re.compile(r"[\x21\x23-\x7e](?:[\x20\x21\x23-\x7e]{0,253}[\x21\x23-\x7e])?")
_QUOTED_KEY = re.compile(r'("(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*")(?: *;[\x20-\x7e]*)?')
_PREFERENCE = re.compile(
    rf"({TCHAR}+)(?:[ \t]*=[ \t]*({TCHAR}+|{QUOTED}))?(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?"
)
_SECONDS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Preference:
    """How long to wait for the outcome, and what of the preferred was granted."""

    seconds: float
    applied: str | None = None


def preference(header: str | None, *, default: float, most: float) -> Preference:
    """Unknown preferences are ignored and the first of several alike counts, as the RFC has it.

    `respond-async` beside `wait=N` is what happens anyway: an answer within N seconds, or 202.
    """
    if header is None:
        return Preference(default)
    found: dict[str, str] = {}
    for member in members(header):
        if match := _PREFERENCE.fullmatch(member):
            found.setdefault(match[1].lower(), unquoted(match[2] or ""))
    if _SECONDS.fullmatch(preferred := found.get("wait", "")):
        seconds = min(float(preferred), most)
        return Preference(seconds, f"wait={seconds:g}")
    if found.get("respond-async") == "":
        return Preference(0.0, "respond-async")
    return Preference(default)


def idempotency_key(header: str | None) -> str | None:
    """The key, quoted (a string of RFC 8941, as the IETF draft has it) or bare.

    Raises `ProblemError`.
    """
    if header is None:
        return None
    key = header.strip(" \t")
    if key.startswith('"'):
        quoted = _QUOTED_KEY.fullmatch(key)
        key = unquoted(quoted[1]) if quoted else ""
    if not _KEY.fullmatch(key):
        raise ProblemError("invalid-idempotency-key", "1 to 255 printable ASCII characters")
    return key
