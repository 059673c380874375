"""What SendGrid's answer means for a mail. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.mail.transport import DeferredError, RefusedError
from infra.resilience.retry_after import seconds_of

BAD_REQUEST = 400
TOO_LARGE = 413
TOO_MANY = 429
UNAVAILABLE = 503

_FIELD = re.compile(
    r"(personalizations|from|subject|content|headers|categories|custom_args|tracking_settings)"
    r"(\.(\d{1,4}|[a-z_]{1,20})){0,5}"
)
_MAX_FIELDS = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer that is no 202, as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def verdict(reply: Reply, now: datetime) -> DeferredError | RefusedError:
    """Its words stay here, they may repeat the address: only the status and names of fields leave.

    What is wrong with a mail ends it. What is wrong with ourselves waits for an operator: the key
    (401, 403), the sender that is not verified, an address that is no API.
    """
    status = reply.status
    if status == TOO_LARGE:
        return RefusedError(str(status))
    if status == BAD_REQUEST:
        fields = _fields(reply.body)
        reason = " ".join([str(status), *fields])
        about_sender = any(field.split(".")[0] == "from" for field in fields)
        return DeferredError(reason, ours=True) if about_sender else RefusedError(reason)
    if status == TOO_MANY or status >= 500:
        # A server between us may have passed the mail on, or SendGrid have failed after taking it.
        perhaps_taken = status not in (TOO_MANY, UNAVAILABLE)
        return DeferredError(
            str(status), perhaps_taken=perhaps_taken, wait_seconds=_wait(reply, now)
        )
    return DeferredError(str(status), perhaps_taken=200 <= status < 300, ours=True)


def _wait(reply: Reply, now: datetime) -> float | None:
    """`Retry-After`, or when the period of a limit ends, in seconds since 1970."""
    asked = seconds_of(reply.headers.get("retry-after"), now)
    reset = reply.headers.get("x-ratelimit-reset", "").strip()
    if asked is None and reply.status == TOO_MANY and re.fullmatch(r"\d{1,10}", reset):
        asked = (datetime.fromtimestamp(int(reset), UTC) - now).total_seconds()
    return asked if asked and asked > 0 else None


def _fields(body: bytes) -> list[str]:
    """Which fields of ours it complains of, as far as it says."""
    try:
        errors = json.loads(body)["errors"]
        named = [error["field"] for error in errors]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    fields = [each for each in named if isinstance(each, str) and _FIELD.fullmatch(each)]
    return list(dict.fromkeys(fields))[:_MAX_FIELDS]
