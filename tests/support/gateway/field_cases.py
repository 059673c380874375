"""Everything that the gateway reads of a request but its body, with good and bad values.

`READ` has one function for each, which says what the gateway makes of a value; `CASES` what it
should.
"""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from contracts.ids import uuid7
from gateway.http import cors
from gateway.http.body import read_query, validated
from gateway.http.cursors import read_cursor
from gateway.http.forwarded import address_of, client_address
from gateway.http.header_fields import bearer_token, is_json, is_plain
from gateway.http.preferences import idempotency_key, preference
from gateway.http.public_port import request_id_of
from gateway.http.request import GatewayRequest
from gateway.http.routing import check_fields
from gateway.problems import ProblemError
from gateway.routes import ENDPOINTS
from infra.observability.trace_context import child_of

OK = "taken"
PAGE = "https://app.example.com"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
PROXIES = (ip_network("10.0.0.0/8"),)


def a_request(method: str = "GET", **headers: str) -> GatewayRequest:
    fields = [(n.replace("_", "-").encode(), v.encode("latin-1")) for n, v in headers.items()]
    scope: Any = {"type": "http", "method": method, "path": "/api/v1/x", "client": ("192.0.2.1", 1)}
    scope["headers"] = fields
    return GatewayRequest(scope, None)  # type: ignore[arg-type]  # nobody reads a body


def outcome(evaluate: Callable[[], object]) -> str:
    """Whether it is taken, or with which code it is refused."""
    try:
        evaluate()
    except ProblemError as error:
        return error.code
    return OK


def forwarded_for(value: str) -> str:
    peer = address_of("10.0.0.1")
    assert peer
    return str(client_address(peer, {"x-forwarded-for": value}, PROXIES, "auto"))


def forwarded(value: str) -> str:
    peer = address_of("10.0.0.1")
    assert peer
    return str(client_address(peer, {"forwarded": value}, PROXIES, "auto"))


def conditional(method: str, **headers: str) -> str:
    return outcome(lambda: check_fields(a_request(method, **headers)))


def twice(name: str) -> str:
    scope: Any = {"type": "http", "method": "GET", "path": "/", "client": None}
    scope["headers"] = [(name.encode(), b"a"), (name.encode(), b"a")]
    request = GatewayRequest(scope, None)  # type: ignore[arg-type]  # nobody reads a body
    return outcome(lambda: check_fields(request))


def shared_with(origin: str) -> bool:
    headers = dict(cors.Cors([PAGE]).headers(a_request(origin=origin)))
    return b"access-control-allow-origin" in headers


def preflight(**headers: str) -> bool:
    request = a_request("OPTIONS", origin=PAGE, **headers)
    return cors.Cors([PAGE]).preflight(request, "") is not None


def trace_of(parent: str) -> bool:
    return child_of(parent).split("-")[1] == TRACE


def query(path: str) -> Callable[[str], str]:
    (model,) = {e.query for e in ENDPOINTS if e.path == path and e.query}

    def evaluated(text: str) -> str:
        return outcome(lambda: validated(model, read_query(text)))

    return evaluated


READ: dict[str, Callable[[Any], object]] = {
    "Authorization": bearer_token,
    "Content-Type": is_json,
    "Content-Encoding": is_plain,
    "X-Forwarded-For": forwarded_for,
    "Forwarded": forwarded,
    "Prefer": lambda value: preference(value, default=5.0, most=20.0).applied,
    "Idempotency-Key": lambda value: outcome(lambda: idempotency_key(value)),
    "If-Match": lambda case: conditional(case[0], if_match=case[1]),
    "If-None-Match": lambda case: conditional(case[0], if_none_match=case[1]),
    "two lines of one field": twice,
    "Origin": shared_with,
    "Access-Control-Request-Method": lambda value: preflight(access_control_request_method=value),
    "traceparent": trace_of,
    "X-Request-ID": lambda value: request_id_of(value) == value,
    "query of the stream": query("/api/v1/stream"),
    "query of a page": query("/api/v1/users/me/activity"),
    "query of quotes": query("/api/v1/quotes"),
    "query of the search": query("/api/v1/search"),
    "cursor": lambda value: outcome(lambda: read_cursor(value)),
}
"""What the gateway makes of a value."""

_KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"

CASES: dict[str, list[tuple[Any, object]]] = {
    "Authorization": [
        *(
            (f"{scheme}abc.d-e_f~g+h/i==", "abc.d-e_f~g+h/i==")
            for scheme in ("Bearer ", "bearer  ")
        ),
        *((f" BEARER{' ' * blanks}abc ", "abc") for blanks in (1, 2, 9)),
        *((value, None) for value in ("", "Bearer", "Bearer ", "Bearerabc", "Basic abc", "abc")),
        *((f"Bearer {token}", None) for token in ("a b", "a,b", "=a", "a=b", '"a"', "a\tb", "é")),
    ],
    "Content-Type": [
        *(
            (f"application/json{remaining}", True)
            for remaining in ("", " ", ";", "; ;", ";charset=utf-8")
        ),
        *((f"Application/JSON; {p}", True) for p in ("charset=UTF8", 'charset="utf-8"', "a=b;c=d")),
        *(
            (f"application/json; {p}", True)
            for p in ('x="a;charset=latin-1"', r'x="\""', "CHARSET=utf-8")
        ),
        *(
            (f"application/json;charset={c}", False)
            for c in ("utf-16", "latin-1", '""', "us-ascii")
        ),
        ("application/json; charset=utf-8; charset=latin-1", False),
        *((value, False) for value in ("", "json", "application/", "/json", "text/plain", "*/*")),
        *((value, False) for value in ("application/jsonp", "application/json, text/plain")),
        *(
            (f"application/json{remaining}", False)
            for remaining in (" x", ";x", ";=", '; x="', "; x = y", "/x")
        ),
    ],
    "Content-Encoding": [
        *((value, True) for value in ("", "identity", "Identity, identity")),
        *((value, False) for value in ("gzip", "identity, gzip", "br", "x")),
    ],
    "X-Forwarded-For": [
        *(
            (value, "203.0.113.7")
            for value in ("203.0.113.7", "203.0.113.7:51234", " 203.0.113.7 ,")
        ),
        *((f"6.6.6.6, {value}", "203.0.113.7") for value in ("203.0.113.7", "::ffff:203.0.113.7")),
        *(
            (value, "203.0.113.7")
            for value in ("[::ffff:203.0.113.7]:1", "203.0.113.7, 10.1.1.1:9")
        ),
        *(
            (value, "2001:db8::7")
            for value in ("2001:db8::7", "[2001:db8::7]", "[2001:DB8::7]:443")
        ),
        ("fe80::7%eth0", "fe80::7"),
        *(
            (value, "10.0.0.1")
            for value in ("", "unknown", "_hidden", "203.0.113.07", "1.2.3", "a,b")
        ),
        *(
            (value, "10.0.0.1")
            for value in ("[203.0.113.7]", "203.0.113.7:x", "[::1", "6.6.6.6, x")
        ),
        ("6.6.6.6, unknown, 10.2.2.2", "10.2.2.2"),
    ],
    "Forwarded": [
        *((value, "203.0.113.7") for value in ("for=203.0.113.7", 'For="203.0.113.7:51234"')),
        *((value, "203.0.113.7") for value in ("proto=https;for=203.0.113.7;by=10.0.0.1",)),
        *(
            (value, "203.0.113.7")
            for value in ("for=6.6.6.6, for=203.0.113.7", "for=203.0.113.7, for=10.1.1.1")
        ),
        ('for="[2001:db8::7]:4711"', "2001:db8::7"),
        ('for="[::ffff:203.0.113.7]"', "203.0.113.7"),
        *(
            (value, "10.0.0.1")
            for value in ("", "for=unknown", "for=_x", "proto=https", "for=", "for")
        ),
        *(
            (value, "10.0.0.1")
            for value in ("for=6.6.6.6;for=7.7.7.7", 'for="6.6.6.6', "xfor=6.6.6.6")
        ),
        ('host="a,for=6.6.6.6"', "10.0.0.1"),
        ("for=6.6.6.6, proto=https", "10.0.0.1"),
    ],
    "Prefer": [
        *((value, "wait=3") for value in ("wait=3", 'WAIT = "3"', "wait=3;a=b", "x, wait=3,, y")),
        *((value, "wait=3") for value in ('x="a, wait=9", wait=3', "wait=3, wait=9", "wait=03")),
        ("wait=99999999999999999999", "wait=20"),
        ("respond-async", "respond-async"),
        *(
            (value, None)
            for value in ("", "wait", "wait=", "wait=-1", "wait=1.5", "wait=1 2", "wait=²")
        ),
        *(
            (value, None)
            for value in ("wait=soon, wait=3", 'x="wait=3', "await=3", "respond-async=1")
        ),
    ],
    "Idempotency-Key": [
        *(
            (value, OK)
            for value in (_KEY, f'"{_KEY}"', f'"{_KEY}";a=b', "a b", r'"a\\b"', "k" * 255)
        ),
        *((value, "invalid-idempotency-key") for value in ("", '""', '"', 'a"b', '"a', "k" * 256)),
        *((value, "invalid-idempotency-key") for value in (r'"a\b"', '"a" b', "schlüssel", "a\tb")),
    ],
    "If-Match": [
        (("GET", "*"), OK),
        *((case, "precondition-failed") for case in (("GET", '"a"'), ("PUT", "*"), ("PUT", '"a"'))),
    ],
    "If-None-Match": [
        *((case, OK) for case in (("GET", "*"), ("GET", '"a"'), ("PUT", '"a", W/"b"'))),
        *((case, "precondition-failed") for case in (("PUT", "*"), ("DELETE", " * "))),
    ],
    "two lines of one field": [
        *((name, "malformed-request") for name in ("authorization", "content-type")),
        *((name, "malformed-request") for name in ("idempotency-key", "last-event-id")),
        *((name, OK) for name in ("prefer", "accept", "x-forwarded-for", "x-anything")),
    ],
    "Origin": [
        (PAGE, True),
        *((value, False) for value in ("", "null", "*", PAGE.upper(), f"{PAGE}/", f"{PAGE}:443")),
        *(
            (value, False)
            for value in (f"{PAGE}.evil.example", f"{PAGE},{PAGE}", "http://app.example.com")
        ),
    ],
    "Access-Control-Request-Method": [("PUT", True), ("FOO", True)],
    "traceparent": [
        *((value, True) for value in (PARENT, PARENT[:-2] + "00", f"01-{TRACE}-{SPAN}-01-more")),
        *(
            (value, False)
            for value in ("", PARENT.upper(), f"{PARENT}-x", f"ff{PARENT[2:]}", PARENT[:-1])
        ),
        *((value, False) for value in (PARENT.replace(SPAN, "0" * 16), f"{PARENT},{PARENT}")),
        (f"00-{'0' * 32}-{SPAN}-01", False),
    ],
    "X-Request-ID": [
        *((value, True) for value in ("a", "a-request.1:2_3", str(uuid7()), "x" * 128)),
        *((value, False) for value in ("", "a b", "x" * 129, "<a>", "a,b", "é", "ada@example.com")),
    ],
    "query of the stream": [
        *((value, OK) for value in ("", "ticket=a", "last_event_id=a%20b", "ticket=")),
        *((f"ticket={'a' * 129}&x", "invalid-fields") for _ in (1,)),
        *(
            (value, "invalid-fields")
            for value in ("x=y", "ticket=a&ticket=b", "last_event_id=" + "a" * 129)
        ),
    ],
    "query of a page": [
        *((value, OK) for value in ("", "limit=1", "limit=100", "cursor=abc")),
        *((value, "invalid-fields") for value in ("limit=0", "limit=-1", "limit=x", "limit=1.5")),
        *(
            (value, "invalid-fields")
            for value in ("limit=1&limit=2", "limit=", "x=y", "limit=99999")
        ),
    ],
    "query of quotes": [
        *((value, OK) for value in ("symbols=AAPL", "symbols=AAPL,MSFT", "symbols=BMW.DE%2CAAPL")),
        *((value, "invalid-fields") for value in ("", "symbols=", "symbols=A&symbols=B", "x=AAPL")),
    ],
    "query of the search": [
        *((value, OK) for value in ("q=apple", "q=a+b", "q=%C3%A9", "q=US0378331005")),
        *(
            (value, "invalid-fields")
            for value in ("", "q=", "q=a&q=b", "q=a&x=y", "q=" + "a" * 500)
        ),
    ],
    "cursor": [
        (None, OK),
        *((value, "invalid-fields") for value in ("", "x", "é", "AAAA", "A" * 33)),
    ],
}
"""What is read, and what the gateway makes of it."""
