"""What is asked, in which words: the same bytes to every service."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import orjson

from bench.load import MARK
from bench.users import PASSWORD, SYMBOLS, Users, symbol

REQUESTS = 4_000
"""Made beforehand and asked in turn; those that write carry a number that makes each different."""

HASHES_A_SECOND, ALONE = 50, 15
"""About what two cores do, and what one client after the other gets of it."""

AGENT = "qnt9-bench/1.0"
_NUMBER = MARK.decode()


class Settles(Enum):
    """What belongs to a request besides its answer, and is waited for and paid for."""

    NOTHING = "nothing"
    EVENTS = "its event in the audit log"
    EVERYTHING = "the account, the event in the audit log, the mail"


@dataclass(frozen=True)
class Scenario:
    """One kind of request."""

    name: str
    title: str
    requests: Callable[[Users], list[bytes]]
    settles: Settles = Settles.NOTHING
    shows_lists: bool = False
    changes_lists: bool = False
    carries: bool = False
    """Each client goes on with what it was answered, so it needs a session of its own."""
    hashes: bool = False
    """Bound by the password hash, so by a number of requests instead of a time."""

    @property
    def done_when_settled(self) -> bool:
        """Its answer only says that it will be done."""
        return self.settles is Settles.EVERYTHING

    def number_of_requests(self, clients: int, seconds: float) -> int | None:
        """Enough for every client to ask, in about the time that the others get."""
        if not self.hashes:
            return None
        return max(clients, round(seconds * (HASHES_A_SECOND if clients > 1 else ALONE)))


def _request(method: str, path: str, token: str | None = None, body: object = None) -> bytes:
    lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: 127.0.0.1", f"User-Agent: {AGENT}"]
    content = b"" if body is None else orjson.dumps(body)
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _put_watchlist(users: Users) -> list[bytes]:
    chance, tokens = random.Random(1), users.tokens()
    made = []
    for _ in range(REQUESTS):
        person = chance.choice(users.everybody)
        path = f"/watchlist/{chance.choice(person.symbols)}"
        note = f"order {_NUMBER}: buy below 101.25, look again on Friday"
        made.append(_request("PUT", path, tokens[person.number], {"note": note}))
    return made


def _get_watchlist(users: Users) -> list[bytes]:
    return [_request("GET", "/watchlist", token) for token in users.tokens()]


def _users_me(users: Users) -> list[bytes]:
    return [_request("GET", "/users/me", token) for token in users.tokens()]


def _cached_quote(users: Users) -> list[bytes]:
    chance, tokens = random.Random(2), users.tokens()
    return [
        _request("GET", f"/quotes/{symbol(chance.randrange(SYMBOLS))}", chance.choice(tokens))
        for _ in range(REQUESTS)
    ]


def _sign_up(_: Users) -> list[bytes]:
    body = {
        "email": f"new-{_NUMBER}@example.com",
        "password": PASSWORD,
        "display_name": "Somebody new",
    }
    return [_request("POST", "/auth/signup", body=body)]


def _sign_in(users: Users) -> list[bytes]:
    return [
        _request("POST", "/auth/signin", body={"email": person.email, "password": PASSWORD})
        for person in users.everybody
    ]


def _refresh(users: Users) -> list[bytes]:
    return [
        _request("POST", "/auth/refresh", body={"refresh_token": person.refresh_token})
        for person in users.everybody
    ]


SCENARIOS = (
    Scenario(
        "put_watchlist",
        "PUT /watchlist/{symbol}",
        _put_watchlist,
        settles=Settles.EVENTS,
        shows_lists=True,
        changes_lists=True,
    ),
    Scenario(
        "get_watchlist", "GET /watchlist (20 items with quotes)", _get_watchlist, shows_lists=True
    ),
    Scenario("users_me", "GET /users/me", _users_me),
    Scenario("cached_quote", "GET /quotes/{symbol}, cached", _cached_quote),
    Scenario(
        "sign_up",
        "POST /auth/signup, until the mail is sent",
        _sign_up,
        settles=Settles.EVERYTHING,
        hashes=True,
    ),
    Scenario("sign_in", "POST /auth/signin", _sign_in, settles=Settles.EVENTS, hashes=True),
    Scenario("refresh", "POST /auth/refresh", _refresh, settles=Settles.EVENTS, carries=True),
)
