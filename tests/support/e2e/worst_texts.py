"""Requests with the worst texts and numbers, over every route that takes a text from a client.

Half are made here, of Unicode and of numbers at the edges; half by schemathesis, of the document.
"""

import json
import random
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import AuthContext, GenerationMode
from schemathesis.auths import AuthStorage
from schemathesis.core.result import Ok

from tests.support.sizes import FULL
from tests.support.stack import ROOT
from tests.support.unicode_samples import WORST


@dataclass(frozen=True)
class Request:
    """One request as it is sent. `target`: path and query, escaped."""

    method: str
    target: str
    content: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = field(default=())


ENDS_THE_SESSION = ("/api/v1/auth/signout",)
"""It would end the session of the one user whose requests these are."""
JSON = ("Content-Type", b"application/json")
PASSWORD, TOKEN = "Quiet-Harbour-7!", "A" * 43
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_RESET = {"token": TOKEN, "new_password": PASSWORD}
_ADDRESS = {"email": "worst@example.com"}
BODIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("PUT", "/api/v1/watchlist/AAPL", {"note": "calm"}),
    ("PATCH", "/api/v1/users/me", {"display_name": "Ada"}),
    ("POST", "/api/v1/auth/signup", _ADDRESS | {"password": PASSWORD, "display_name": "Ada"}),
    ("POST", "/api/v1/auth/signin", _ADDRESS | {"password": PASSWORD}),
    ("POST", "/api/v1/auth/refresh", {"refresh_token": TOKEN}),
    ("POST", "/api/v1/auth/verify", {"token": TOKEN, "password": "p", "signup_secret": TOKEN}),
    ("POST", "/api/v1/auth/verify/resend", _ADDRESS),
    ("POST", "/api/v1/auth/password/forgot", _ADDRESS),
    ("POST", "/api/v1/auth/password/reset", _RESET),
    ("POST", "/api/v1/auth/password/change", {"current_password": "p", "new_password": PASSWORD}),
    ("POST", "/api/v1/auth/email/change", {"new_email": "worst@example.com", "password": "p"}),
    ("POST", "/api/v1/auth/email/undo", _RESET),
    ("POST", "/api/v1/users/me/erase", {"password": "p"}),
    ("PUT", f"/api/v1/admin/users/{ID}/tier", {"tier": "plus"}),
    ("PUT", f"/api/v1/admin/users/{ID}/permissions", {"permissions": ["admin"]}),
)
"""Routes with a body, and one that they take."""
ACCEPTED = 4
"""Of the first so many routes, texts that are often accepted are tried once more: what is accepted
goes farthest, to workers, events, mails and the audit log."""
QUERIES = {
    "/api/v1/search": ("q",),
    "/api/v1/quotes": ("symbols",),
    "/api/v1/users/me/activity": ("cursor", "limit"),
    "/api/v1/admin/users": ("email", "tier", "verified", "cursor", "limit"),
    "/api/v1/admin/audit": ("user_id", "action", "correlation_id", "from", "to", "limit"),
    "/api/v1/stream": ("ticket", "last_event_id"),
    "/verify": ("token",),
    "/reset": ("token",),
    "/undo": ("token",),
}
PATHS = (
    ("PUT", "/api/v1/watchlist/{}"),
    ("DELETE", "/api/v1/watchlist/{}"),
    ("GET", "/api/v1/quotes/{}"),
    ("DELETE", "/api/v1/users/me/sessions/{}"),
    ("PUT", "/api/v1/admin/users/{}/tier"),
    ("PUT", "/api/v1/admin/users/{}/permissions"),
    ("GET", "/api/v1/commands/{}"),
    ("GET", "/{}"),
)
OF_THE_CONNECTION = {"authorization", "host", "connection", "content-length", "transfer-encoding"}
"""Headers that are set when it is sent, whatever schemathesis says."""
HEADERS = ("Authorization", "Idempotency-Key", "X-Request-ID", "Prefer", "Last-Event-ID")

ESCAPES = st.sampled_from(
    [
        "\\ud800",
        "\ud800",
        "\udfff\ud800",
        "%ED%A0%80",
        "&#0;",
        "\\u0000",
        "\0",
        "%00",
        "../..",
        "\r\n",
    ]
)
NUMBERS_AS_TEXT = st.sampled_from(
    ["0", "-0", "-1", "1e400", "9" * 5_000, "NaN", "\u0662", "0x10", "1.5", " 7 ", "", "1_0"]
)
SINGLE = st.characters().map(lambda character: character * 3)
"""Any character of any category, surrogates too."""
TEXTS = st.one_of(WORST, st.text(st.characters(), max_size=80), SINGLE, ESCAPES, NUMBERS_AS_TEXT)
SHORT = st.one_of(WORST.map(lambda text: text[:24]), st.text(max_size=24), SINGLE)
"""Short enough to be accepted as a name, a search or a local part of an address."""
ADDRESSES = st.one_of(
    SHORT.map(lambda text: f"{text}@example.com"),
    SHORT.map(lambda text: f"a@{text}.example.com"),
)
NUMBERS = st.one_of(
    st.sampled_from([0, -1, 2**31, 2**63, -(2**63) - 1, 2**64, 10**400, -0.0, 1e308, 5e-324]),
    st.sampled_from([float("nan"), float("inf"), -float("inf")]),
    st.integers(),
    st.floats(),
)
STRUCTURES = st.recursive(
    st.one_of(st.none(), st.booleans(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
VALUES = st.one_of(TEXTS, SHORT, ADDRESSES, NUMBERS, STRUCTURES)
_AS_TEXT = (
    "[" * 30_000 + "]" * 30_000,
    '{"note":' * 7_000 + "1" + "}" * 7_000,
    f'{{"note": "{"x" * 60_000}"}}',
    f'{{"note": {"9" * 60_000}}}',
    "{" + ",".join(f'"{n}": {n}' for n in range(5_000)) + "}",
    '{"note": "a", "note": "b"}',
    '\ufeff{"note": "a"}',
    '{"note": NaN}',
    '{"note": -1e999}',
    '{"note": "\\ud800\\u0000"}',
    "\ufeff",
    "null",
)
WHOLE_BODIES = (
    *(text.encode() for text in _AS_TEXT),
    *(b'{"note": "\xed\xa0\x80"}', b'{"note": "\xff"}', b"\xff\xfe{\0}\0"),
)
"""Deep, large, and what is no JSON or hardly."""


def _escaped(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="")


def _json(body: object) -> bytes:
    """In ASCII, so that a lone surrogate gets to the gateway, too."""
    return json.dumps(body).encode()


def _likely(example: object) -> st.SearchStrategy[str]:
    """What is often accepted in place of an example."""
    return ADDRESSES if "@" in str(example) else SHORT


def _with_value(
    method: str, path: str, body: dict[str, Any], name: str, values: st.SearchStrategy[Any]
) -> st.SearchStrategy[Request]:
    return values.map(lambda value: Request(method, path, _json(body | {name: value}), (JSON,)))


def _with_body(
    method: str, path: str, body: dict[str, Any]
) -> Iterator[st.SearchStrategy[Request]]:
    for name, example in body.items():
        yield _with_value(method, path, body, name, st.one_of(_likely(example), VALUES))
    whole = st.sampled_from(WHOLE_BODIES)
    yield whole.map(lambda content: Request(method, path, content, (JSON,)))


def _header_value(value: bytes) -> bytes:
    """Bytes that a client can put there: no controls, no blanks around."""
    return bytes(byte for byte in value if byte > 31 and byte != 127).strip()


def _with_header(name: str) -> st.SearchStrategy[Request]:
    prefix = b"Bearer " if name == "Authorization" else b""

    def request(text: str) -> Request:
        value = _header_value(prefix + text.encode(errors="surrogatepass"))
        return Request("PUT", "/api/v1/watchlist/AAPL", b"{}", (JSON, (name, value)))

    return TEXTS.map(request)


def _with_query(path: str, name: str, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Request]:
    return texts.map(lambda text: Request("GET", f"{path}?{name}={_escaped(text)}"))


def _with_path(method: str, path: str) -> st.SearchStrategy[Request]:
    content, headers = (None, ()) if method == "GET" else (b"{}", (JSON,))
    return TEXTS.map(lambda text: Request(method, path.format(_escaped(text)), content, headers))


def _own() -> Iterator[st.SearchStrategy[Request]]:
    for method, path, body in BODIES:
        yield from _with_body(method, path, body)
    for path, names in QUERIES.items():
        yield from (_with_query(path, name, TEXTS) for name in names)
    yield from (_with_path(method, path) for method, path in PATHS)
    yield from map(_with_header, HEADERS)
    for method, path, body in BODIES[:ACCEPTED]:
        for name, example in body.items():
            yield _with_value(method, path, body, name, _likely(example))
    yield _with_query("/api/v1/search", "q", SHORT)


class _NoOne:
    """Instead of `schemathesis_hooks.SignedIn`, which is for all that has no other."""

    def get(self, _case: "schemathesis.Case[Any]", _context: AuthContext) -> None:
        return None

    def set(self, case: "schemathesis.Case[Any]", data: Any, context: AuthContext) -> None:
        """Nothing: who asks is said when it is sent."""


def _of_document() -> Iterator[st.SearchStrategy[Request]]:
    """What schemathesis makes of each operation, right and wrong, sent as the one user."""
    document = json.loads((ROOT / "schemas" / "openapi.json").read_text("utf-8"))
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path in ENDS_THE_SESSION:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            cases = operation.as_strategy(mode, auth_storage=AuthStorage([_NoOne()]))
            yield cases.map(_as_request)


def _as_request(case: "schemathesis.Case[Any]") -> Request:
    sent = case.as_transport_kwargs(base_url="")
    content = sent.get("data")
    if "json" in sent:
        content = _json(sent["json"])
    if isinstance(content, str):
        content = content.encode(errors="surrogatepass")
    assert content is None or isinstance(content, bytes), content
    query = urlencode(sent.get("params") or {}, doseq=True, errors="surrogatepass")
    target = sent["url"] + (f"?{query}" if query else "")
    headers = tuple(
        (name, _header_value(value.encode("latin-1", "replace")))
        for name, value in sent["headers"].items()
        if name.lower() not in OF_THE_CONNECTION
    )
    return Request(sent["method"], target, content, headers)


def _drawn(strategy: st.SearchStrategy[Request], count: int, number: int) -> list[Request]:
    """So many examples, without the first, which is the simplest; none where there can be none.

    `number` makes them other ones than those of another strategy with the same parts.
    """
    found: list[Request] = []

    @seed(number)
    @settings(
        max_examples=count + 1,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(one: Request) -> None:
        found.append(one)

    with suppress(Unsatisfiable):  # where nothing is read, nothing is wrong
        collect()
    return found[1 : count + 1]


def _shared(
    strategies: Iterable[st.SearchStrategy[Request]], most: int, chance: random.Random
) -> list[Request]:
    """As many of each, in turns, up to `most`."""
    each = list(strategies)
    chance.shuffle(each)
    count = -(-most // len(each)) + 1
    if most < len(each):
        each, count = each[: most + 3], 1
    drawn = [_drawn(strategy, count, chance.getrandbits(64)) for strategy in each]
    turns = range(max(map(len, drawn)))
    return [found[turn] for turn in turns for found in drawn if turn < len(found)][:most]


def worst_requests(own: int, of_document: int) -> list[Request]:
    """The two halves, mixed. At the small size they are the same each time."""
    chance = random.SystemRandom() if FULL else random.Random(7)
    requests = _shared(_own(), own, chance) + _shared(_of_document(), of_document, chance)
    chance.shuffle(requests)
    return requests
