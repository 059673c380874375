"""The header fields of requests and answers, as the OpenAPI document explains them."""

from typing import Any

from gateway.http.page_origin import CSRF_HEADER, CSRF_VALUE

HEADERS = {
    "X-Request-ID": "Of the request, or made for it; kept to the last event, perhaps as an HMAC.",
    "Location": "Where the outcome of the command will be.",
    "Retry-After": "Ask again in so many seconds.",
    "RateLimit-Policy": 'Every limit of the route: `"name";q=<most>;w=<seconds>`.',
    "RateLimit": 'The nearest one: `"name";r=<what is left>;t=<seconds until there is more>`.',
    "Preference-Applied": "What was granted of `Prefer` (RFC 7240).",
    "Set-Cookie": "The refresh token, for these routes only; `HttpOnly; Secure; SameSite=Strict`.",
    "WWW-Authenticate": "A bearer token is needed, or this one will not do (RFC 6750).",
}
_KEY = "[!#-~]([ !#-~]{0,253}[!#-~])?"
"""An Idempotency-Key, bare or in quotes: 1 to 255 printable ASCII characters."""
PARAMETERS = {
    "Idempotency-Key": "The same key and body: one effect, one outcome, for three weeks at least.",
    "Prefer": "`respond-async`, or `wait=N` seconds (RFC 7240).",
    CSRF_HEADER: "Says that a page sends this on purpose; other sites cannot send it.",
    "X-Request-ID": "Echoed; kept to the last event, as an HMAC unless a UUID or hexadecimal.",
    "Last-Event-ID": "The `id` that came last: own events go on after it.",
}


def parameter(name: str, text: str) -> dict[str, Any]:
    """The declaration of one field that clients may, or must, send."""
    schema: dict[str, Any] = {"type": "string"}
    match name:
        case "Idempotency-Key":
            schema["pattern"] = f'^({_KEY}|"{_KEY}")$'
        case "Prefer":
            schema["examples"] = ["respond-async", "wait=5"]
        case "X-CSRF-Protection":
            schema["const"] = CSRF_VALUE
    required = {"required": True} if name == CSRF_HEADER else {}
    return {"name": name, "in": "header", "description": text, **required, "schema": schema}
