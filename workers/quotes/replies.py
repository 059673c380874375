"""Replies over HTTP, and how they are classified before a price is looked for. Pure.

The body is judged, not the status alone: a throttled, moved or broken provider answers anything.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from infra.resilience.policies import RateLimitedError
from infra.resilience.retry_after import seconds_of
from workers.quotes.provider import MalformedError, UnavailableError

THROTTLED = {429, 999}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer over HTTP, as it came."""

    status: int
    body: bytes
    retry_after: str | None = None


def read_json(reply: Reply, now: datetime) -> dict[str, Any]:
    """Raises `RateLimitedError`, `UnavailableError`, `MalformedError`."""
    if reply.status in THROTTLED or _says_stop(reply.body):
        raise RateLimitedError(seconds_of(reply.retry_after, now))
    try:
        answer = json.loads(reply.body, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        if reply.status != 200 or reply.body.lstrip().startswith(b"<"):
            raise UnavailableError(f"status {reply.status}, no JSON") from error
        raise MalformedError("no JSON") from error
    if not isinstance(answer, dict):
        raise _broken(reply, "JSON of another shape")
    return answer


def family_in(answer: dict[str, Any], family: str, reply: Reply) -> dict[str, Any] | None:
    """What Yahoo files under this name; None when it says "Not Found". Raises as `read_json`."""
    found = answer.get(family)
    if not isinstance(found, dict):
        raise _broken(reply, f"JSON without a {family}")
    if error := found.get("error"):
        if isinstance(error, dict) and error.get("code") == "Not Found":
            return None
        raise _broken(reply, f"status {reply.status} with an unknown error")
    if reply.status != 200:
        raise UnavailableError(f"status {reply.status}")
    return found


def _says_stop(body: bytes) -> bool:
    return b"too many requests" in body[:200].lower() and not body.lstrip().startswith(b"{")


def _broken(reply: Reply, why: str) -> UnavailableError | MalformedError:
    if reply.status >= 500:
        return UnavailableError(f"status {reply.status}")
    return MalformedError(why)
