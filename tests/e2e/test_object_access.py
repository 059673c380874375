"""What is somebody's is nobody else's: every route that names something, tried by a stranger.

The routes come from their declarations. One with a new parameter fails here until it is said what
the parameter names, and one with a known one is tried by itself.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from gateway.http.endpoints import AccessLevel, Endpoint
from gateway.openapi.examples import EXAMPLES
from gateway.routes import ENDPOINTS
from tests.support.e2e.outages import until_settled
from tests.support.stack import Stack, User

NOTE = f"only for its owner {uuid4().hex}"
NAMING = [e for e in ENDPOINTS if e.path.startswith("/api/") and "{" in e.path]
KEPT_OUT = {401, 403, 404}
SHARED = {"symbol"}
"""Names that everybody uses for the same thing: what hangs on them is the caller's own."""


@dataclass(frozen=True)
class Owned:
    """Something of each kind that is one user's."""

    owner: User
    user_id: str
    session_id: str
    handle: str

    def named(self, endpoint: Endpoint) -> str:
        """The path of a route, with what is the owner's."""
        values = {"symbol": "AAPL", "handle": self.handle}
        if endpoint.path.startswith("/api/v1/users/me/sessions/"):
            values["id"] = self.session_id
        if endpoint.path.startswith("/api/v1/admin/users/"):
            values["id"] = self.user_id
        return re.sub(r"{(\w+)}", lambda match: values[match[1]], endpoint.path)


@pytest.fixture(scope="module")
async def owned(stack: Stack) -> Owned:
    owner = await stack.verified_user()
    async with stack.http(headers=owner.headers) as http:
        answer = await http.put(
            "/api/v1/watchlist/AAPL", json={"note": NOTE}, headers={"Prefer": "respond-async"}
        )
        assert await until_settled(stack, owner, answer) == "succeeded"
        me = (await http.get("/api/v1/users/me")).json()
        [session] = (await http.get("/api/v1/users/me/sessions")).json()["sessions"]
    return Owned(owner, me["id"], session["id"], answer.json()["handle"])


@pytest.fixture(scope="module")
async def stranger(stack: Stack) -> User:
    return await stack.verified_user()


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.http() as client:
        yield client


async def ask(
    http: httpx.AsyncClient, endpoint: Endpoint, path: str, **headers: str
) -> httpx.Response:
    body: Any = EXAMPLES[endpoint.body] if endpoint.body else None
    return await http.request(endpoint.method, path, json=body, headers=headers)


def names(endpoint: Endpoint) -> set[str]:
    return set(re.findall(r"{(\w+)}", endpoint.path))


def secrets_of(owned: Owned) -> set[str]:
    return {NOTE, owned.owner.email}


@pytest.mark.parametrize("endpoint", NAMING, ids=lambda e: f"{e.method} {e.path}")
async def test_no_one_gets_what_is_someones(
    http: httpx.AsyncClient, owned: Owned, endpoint: Endpoint
) -> None:
    answer = await ask(http, endpoint, owned.named(endpoint))
    assert answer.status_code in KEPT_OUT, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert not any(secret in answer.text for secret in secrets_of(owned))


@pytest.mark.parametrize("endpoint", NAMING, ids=lambda e: f"{e.method} {e.path}")
async def test_someone_else_gets_nothing_of_it_and_changes_nothing(
    http: httpx.AsyncClient, owned: Owned, stranger: User, endpoint: Endpoint
) -> None:
    answer = await ask(http, endpoint, owned.named(endpoint), **stranger.headers)
    if not names(endpoint) <= SHARED:
        assert answer.status_code in KEPT_OUT, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert not any(secret in answer.text for secret in secrets_of(owned))
    me = await http.get("/api/v1/users/me", headers=owned.owner.headers)
    assert (me.json()["tier"], me.json()["permissions"]) == ("free", [])
    watchlist = await http.get("/api/v1/watchlist", headers=owned.owner.headers)
    assert [item["note"] for item in watchlist.json()["items"]] == [NOTE]


def test_what_is_shared_is_open_to_users_alone() -> None:
    assert all(e.access is not AccessLevel.ANYONE for e in NAMING if names(e) <= SHARED)


ADMINS = [e for e in ENDPOINTS if e.path.startswith("/api/v1/admin/")]


@pytest.mark.parametrize("endpoint", ADMINS, ids=lambda e: f"{e.method} {e.path}")
async def test_a_route_of_admins_is_forbidden_to_users(
    http: httpx.AsyncClient, owned: Owned, stranger: User, endpoint: Endpoint
) -> None:
    assert endpoint.access is AccessLevel.ADMIN
    answer = await ask(http, endpoint, owned.named(endpoint), **stranger.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
