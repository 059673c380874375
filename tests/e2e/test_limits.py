"""Strict limits on the running system, with two gateways, and what a flood does to it."""

import asyncio
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest

from tests.support.e2e.outages import is_problem
from tests.support.stack import PASSWORD, PORT_BASE, Stack, User, running_stack

BASE = PORT_BASE + 200
PAGE = "http://localhost:3000"
SIGN_IN = "/api/v1/auth/signin"
SIGN_UP = "/api/v1/auth/signup"
ME = "/api/v1/users/me"
MOST = 200
CLIENTS = 64
ROOM = ",".join(
    f"{name}=10000/60"
    for name in (
        *("signup-client", "signup-network", "signin-client", "signin-network"),
        *("signin-account", "signin-account-day", "signin-everybody"),
    )
)
FLOOD = 500
SIGNIN_SECONDS = 15.0
HANGS_SECONDS = 10.0


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("QNT9_CORS_ORIGINS", PAGE)
        environment.setenv("QNT9_GATEWAY_QUOTAS", f"{ROOM},read-token={MOST}/60")
        options = ("--limits", "strict", "--scale", "gateway=2")
        data = tmp_path_factory.mktemp("strict")
        with running_stack(data, port_base=BASE, options=options) as stack:
            yield stack


@pytest.fixture(scope="module")
async def user(strict: Stack) -> User:
    return await strict.verified_user()


@contextmanager
def paused(stack: Stack, name: str) -> Iterator[None]:
    """A process that neither answers nor ends."""
    pid = stack.pid(name)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def many() -> httpx.AsyncClient:
    return httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60, trust_env=False)


async def test_a_limit_holds_over_two_gateways(strict: Stack) -> None:
    session = await strict.verified_user()
    gateways = [f"http://127.0.0.1:{BASE + i}{ME}" for i in range(2)]
    async with many() as http:

        async def client(i: int) -> list[httpx.Response]:
            url = gateways[i % 2]
            return [await http.get(url, headers=session.headers) for _ in range(8)]

        answers = [a for each in await asyncio.gather(*map(client, range(CLIENTS))) for a in each]
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() == {200, 429}
    assert abs(statuses[200] - MOST) <= MOST * 0.05, statuses
    for answer in answers:
        assert f'"read-token";q={MOST};w=60' in answer.headers["ratelimit-policy"]
        assert re.fullmatch(r'"read-token";r=\d+;t=\d+', answer.headers["ratelimit"])
        if answer.status_code == 429:
            assert is_problem(answer, "rate-limited")
            assert len(answer.headers.get_list("retry-after")) == 1
            assert 1 <= int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize("prefer", ["wait=10", "respond-async"])
async def test_a_stolen_token_cannot_guess_the_password(strict: Stack, prefer: str) -> None:
    session = await strict.verified_user()
    headers = session.headers | {"Prefer": prefer}
    async with strict.http(headers=headers) as http:
        for n in range(6):
            new = f"Velvet-orchard-{n}-pebble"
            body = {"current_password": f"Wrong-horse-{n}", "new_password": new}
            answer = await http.post("/api/v1/auth/password/change", json=body)
            assert answer.status_code == (429 if n == 5 else 403 if "wait" in prefer else 202)


async def test_guessing_is_ended_alike_for_known_and_unknown_addresses(
    strict: Stack, user: User
) -> None:
    seen = []
    async with strict.http() as http:
        for email in (user.email, f"{uuid4().hex[:12]}@example.com"):
            body = {"email": email, "password": "Wooden-compass-37-ribbon"}
            answers = [await http.post(SIGN_IN, json=body) for _ in range(6)]
            assert is_problem(answers[-1], "rate-limited")
            assert 60 < int(answers[-1].headers["retry-after"]) <= 300
            seen.append([(a.status_code, a.headers.keys()) for a in answers])
    assert [status for status, _ in seen[0]] == [401] * 5 + [429]
    assert seen[0] == seen[1]


async def test_a_success_begins_the_count_anew(strict: Stack) -> None:
    user = await strict.verified_user()
    async with strict.http() as http:
        for _ in range(2):
            for password in ("Wooden-compass-37-ribbon",) * 4 + (PASSWORD,):
                body = {"email": user.email, "password": password}
                answer = await http.post(SIGN_IN, json=body)
                assert answer.status_code == (200 if password == PASSWORD else 401)


async def test_a_faulty_request_is_counted_but_uses_up_no_sign_up(strict: Stack) -> None:
    async with strict.http() as http:
        answer = await http.post(SIGN_UP, json={"email": "no address"})
        assert answer.status_code == 422
        assert answer.headers["ratelimit"].startswith('"client";')
        unsigned = await http.get(ME)
        assert unsigned.status_code == 401
        assert unsigned.headers["ratelimit"].startswith('"client";')


async def test_while_the_cache_server_hangs_reads_go_on_and_guessing_ends_sooner(
    strict: Stack,
) -> None:
    session = await strict.verified_user()
    async with strict.http(headers=session.headers) as http:
        assert (await http.put("/api/v1/watchlist/AAPL")).status_code == 201
    with paused(strict, "valkey"):
        async with strict.http() as http:
            for path in (ME, "/api/v1/watchlist", ME, "/api/v1/watchlist"):
                began = time.monotonic()
                answer = await http.get(path, headers=session.headers)
                assert answer.status_code == 200
                assert time.monotonic() - began < HANGS_SECONDS, path
            body = {"email": session.email, "password": "Wooden-compass-37-ribbon"}
            statuses = [(await http.post(SIGN_IN, json=body)).status_code for _ in range(4)]
            assert statuses == [401, 401, 429, 429]
    await strict.until_ready("gateway")


async def test_named_origins_may_call_and_others_may_not(strict: Stack) -> None:
    asks = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "prefer"}
    item = "/api/v1/watchlist/AAPL"
    async with strict.http() as http:
        answer = await http.options(item, headers={"Origin": PAGE, **asks})
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-methods"] == "DELETE, PUT"
        assert "Authorization" in answer.headers["access-control-allow-headers"]
        assert answer.headers["vary"] == "Origin"
        for other in ("null", "http://localhost:3001", f"{PAGE}.example.com", ""):
            answer = await http.options(item, headers={"Origin": other, **asks})
            assert answer.status_code == 405
            assert "access-control-allow-origin" not in answer.headers
            assert answer.headers["vary"] == "Origin"
        for path in (item, "/api/v1/nowhere", ME):
            answer = await http.get(path, headers={"Origin": PAGE})
            assert answer.headers["access-control-allow-origin"] == PAGE
            exposed = answer.headers["access-control-expose-headers"]
            assert {"Location", "Retry-After", "RateLimit", "X-Request-ID"} < set(
                exposed.split(", ")
            )
        assert "vary" not in (await http.get("/docs", headers={"Origin": PAGE})).headers


async def test_five_hundred_sign_ins_at_once_end_in_tokens_or_in_try_again(
    strict: Stack,
) -> None:
    user = await strict.verified_user()
    async with many() as http, strict.http() as other:
        url = f"{strict.urls['gateway']['url']}{SIGN_IN}"

        async def sign_in(i: int) -> httpx.Response:
            email = user.email if i == 0 else f"{uuid4().hex[:12]}@example.com"
            return await http.post(url, json={"email": email, "password": PASSWORD})

        flood = [asyncio.create_task(sign_in(i)) for i in range(FLOOD)]
        done = asyncio.gather(*flood)
        while not done.done():
            assert (await other.get("/health/live")).status_code == 200
            await asyncio.wait({done}, timeout=0.5)
        answers = await done
        slowest = max(answer.elapsed.total_seconds() for answer in answers)
    assert slowest < SIGNIN_SECONDS + 60, "answered in time, but for what a busy machine adds"
    assert {answer.status_code for answer in answers} <= {200, 401, 503}
    assert all(is_problem(a, "try-again") for a in answers if a.status_code == 503)
    assert (await strict.sign_in(user.email)).access_token


async def test_a_flood_of_sign_ups_keeps_no_one_from_signing_in(strict: Stack) -> None:
    user = await strict.verified_user()
    async with many() as http:
        url = f"{strict.urls['gateway']['url']}{SIGN_UP}"

        async def sign_up() -> httpx.Response:
            body = {"email": f"{uuid4().hex[:12]}@example.com", "password": PASSWORD}
            return await http.post(url, json=body)

        answers = await asyncio.gather(*(sign_up() for _ in range(FLOOD)))
    refused = [answer.text for answer in answers if answer.status_code != 202]
    assert not refused, f"{len(refused)}, the first: {refused[0]}"
    await strict.sign_in(user.email)
    async with strict.postgres() as database:
        waiting = FLOOD - await database.fetchval(
            "SELECT count(*) FROM users WHERE created_at > now() - interval '2 minutes'"
        )
    assert waiting > 0, "the flood was over before anybody signed in"
