"""Requests that never reach the application, and what their clients are answered."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from infra.http.status_lines import STATUS_LINES

Headers = list[tuple[bytes, bytes]]

Render = Callable[["Refusal", Headers], tuple[Headers, bytes]]
"""Headers and body of the answer to a refused request, of which these headers are known.

Status and framing are added.
"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not taken. `code` names it to clients and in metrics."""

    status: int
    code: str
    detail: str


class RefusedError(Exception):
    """Raised where a head or body is read; the connection answers and closes."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def malformed(detail: str) -> Refusal:
    """Return the refusal of a request that breaks the protocol in this way."""
    return Refusal(400, "malformed-request", detail)


NOT_HTTP = malformed("This is not HTTP/1.1.")
HEAD_TIMEOUT = Refusal(408, "request-timeout", "The head of the request did not come in time.")
BODY_TIMEOUT = Refusal(408, "request-timeout", "The body of the request did not come in time.")
TARGET_TOO_LONG = Refusal(414, "target-too-long", "The path and query are too long.")
EXPECTATION_FAILED = Refusal(417, "expectation-failed", "Only 100-continue can be expected.")
HEAD_TOO_LARGE = Refusal(431, "head-too-large", "The request line and headers are too large.")
TOO_MANY_OF_CLIENT = Refusal(
    429, "too-many-connections", "Too many connections are open from this address."
)
FAILED = Refusal(500, "internal-error", "Something went wrong on our side.")
NOT_IMPLEMENTED = Refusal(501, "not-implemented", "The method or transfer coding is not known.")
OVERLOADED = Refusal(503, "overloaded", "Too much is being received at the moment; ask again.")
CANCELLED = Refusal(503, "draining", "This server is going away; ask again.")
VERSION = Refusal(505, "version-not-supported", "HTTP/1.1 and HTTP/1.0 are spoken here.")


@dataclass(frozen=True, slots=True)
class RefusalResponse:
    """The bytes of a response to a refused request. A `HEAD` request gets `head` alone."""

    head: bytes
    body: bytes


def refusal_response(
    refusal: Refusal, request_headers: Headers, render: Render, default_headers: Headers
) -> RefusalResponse:
    """Return the response to a request that is refused; it says that the connection closes."""
    fields, body = render(refusal, request_headers)
    length = (b"content-length", b"%d" % len(body))
    lines = [*default_headers, *fields, length, (b"connection", b"close")]
    head = STATUS_LINES[refusal.status] + b"".join(b"%b: %b\r\n" % line for line in lines)
    return RefusalResponse(head + b"\r\n", body)


def as_text(refusal: Refusal, _: Headers) -> tuple[Headers, bytes]:
    """A refusal for people and probes."""
    text = f"{HTTPStatus(refusal.status).phrase}: {refusal.detail}\n".encode()
    return [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")], text
