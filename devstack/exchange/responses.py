"""The words of the protocol: what an answer's body and headers are, good or bad."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

SOURCE: Final = {"X-Quote-Source": "sandbox"}
_SHORT_CACHE: Final = {"Cache-Control": "public, max-age=10, stale-while-revalidate=20"}
_NAMES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    422: "Unprocessable Entity",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_MAINTENANCE: Final = (
    "<!doctype html><html><head><title>Sandbox</title></head>"
    "<body><h1>Will be right back</h1><p>Thank you for your patience.</p></body></html>"
)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    media_type: str = "application/json;charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def found(content: object) -> Answer:
    return Answer(200, _json(content), headers=_SHORT_CACHE)


def failed(family: str, status: int, description: str) -> Answer:
    """An error as JSON, under the name that the endpoint's results have."""
    error = {"code": _NAMES.get(status, "Error"), "description": description}
    return Answer(status, _json({family: {"result": None, "error": error}}))


def not_found() -> Answer:
    return failed("chart", 404, "No data found, symbol may be delisted")


def throttled(status: int = 429, retry_after: object = None) -> Answer:
    text = "Too Many Requests" if status == 429 else "Unable to process request at this time"
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Answer(status, f"{text}\r\n".encode(), "text/plain", headers)


def scripted(family: str, status: int, retry_after: object = None) -> Answer:
    """What a scripted status looks like; the well-known ones as they are without a script."""
    match status:
        case 404:
            return not_found()
        case 429 | 999:
            return throttled(status, retry_after)
        case _:
            answer = failed(family, status, _NAMES.get(status, "Scripted"))
            if retry_after is not None:
                answer.headers["Retry-After"] = str(retry_after)
            return answer


def html(status: int) -> Answer:
    return Answer(status, _MAINTENANCE.encode(), "text/html; charset=utf-8")


def redirect(location: str) -> Answer:
    return Answer(302, b"", "text/html; charset=utf-8", {"Location": location})


def _json(content: Any) -> bytes:
    # NaN and Infinity as bare words: a price fault asks for them.
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=True).encode()
