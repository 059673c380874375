"""Each part away for a while: nothing accepted is lost, and answers say what clients can do."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from tests.support.e2e.outages import (
    dead_letters,
    is_problem,
    stopped,
    symbols,
    until_settled,
)
from tests.support.stack import PASSWORD, Stack
from tests.support.waiting import eventually

PUBLISH_SECONDS = 3.0
WAIT_SECONDS = 5.0
SLACK_SECONDS = 10.0
OTHER = f"{PASSWORD}!"
WAIT_A_SECOND = {"Prefer": "wait=1"}


async def test_changes_are_accepted_without_their_worker_and_happen_when_it_returns(
    stack: Stack,
) -> None:
    user = await stack.verified_user()
    async with stack.http() as http:
        async with stopped(stack, "watchlist"):
            answer = await http.put(
                "/api/v1/watchlist/AAPL", json={}, headers=user.headers | WAIT_A_SECOND
            )
            assert answer.status_code == 202
            assert answer.headers["preference-applied"] == "wait=1"
            pending = await http.get(answer.headers["location"], headers=user.headers)
            assert pending.json()["status"] == "pending"
            assert not pending.json()["parked"]
        assert await until_settled(stack, user, answer) == "succeeded"
    assert await symbols(stack, user) == {"AAPL"}


async def test_without_the_database_commands_are_accepted_and_reads_say_when_to_come_back(
    stack: Stack,
) -> None:
    user = await stack.verified_user()
    email = f"{uuid4().hex[:12]}@example.com"
    async with stack.http(headers=user.headers) as http:
        async with stopped(stack, "postgres"):
            accepted = [
                await http.put(f"/api/v1/watchlist/{symbol}", json={}, headers=WAIT_A_SECOND)
                for symbol in ("MSFT", "SAP.DE")
            ]
            sign_up = {"email": email, "password": PASSWORD}
            for headers in ({}, {"Idempotency-Key": uuid4().hex}):
                asked = asyncio.get_running_loop().time()
                signed_up = await http.post("/api/v1/auth/signup", json=sign_up, headers=headers)
                assert signed_up.status_code == 202, signed_up.text
                assert asyncio.get_running_loop().time() - asked < SLACK_SECONDS
            # Nobody can say whether it is the same body, and nobody is refused for that.
            signed_up = await http.post("/api/v1/auth/signup", json=sign_up, headers=headers)
            assert signed_up.status_code == 202, signed_up.text
            for path in ("/api/v1/watchlist", "/api/v1/users/me"):
                answer = await http.get(path)
                assert answer.status_code == 503, answer.text
                assert is_problem(answer, "reads-unavailable")
            status = await http.get(accepted[0].headers["location"])
            assert status.status_code == 503
        for answer in accepted:
            assert await until_settled(stack, user, answer) == "succeeded"
    assert await symbols(stack, user) == {"MSFT", "SAP.DE"}
    assert await stack.mailed_token(email, seconds=60)


async def test_without_the_cache_server_everything_still_works(stack: Stack) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        assert (await http.get("/api/v1/quotes/AAPL")).status_code == 200
        async with stopped(stack, "valkey"):
            added = await http.put("/api/v1/watchlist/AAPL", json={"note": "without"})
            assert added.status_code == 201, added.text
            changed = await http.put("/api/v1/watchlist/AAPL", json={"note": "a cache"})
            assert changed.status_code == 200, changed.text
            for symbol in ("AAPL", "VOD.L"):
                quote = await http.get(f"/api/v1/quotes/{symbol}")
                assert quote.status_code == 200, quote.text
                assert quote.json()["symbol"] == symbol
            (item,) = (await http.get("/api/v1/watchlist")).json()["items"]
            assert item["note"] == "a cache"
            assert item["quote"]["symbol"] == "AAPL"
            assert (await stack.sign_in(user.email)).access_token


def sent_to_anyone(answer: httpx.Response) -> dict[str, Any]:
    """Each body of a sign-up has a secret of its own; all else is the same for everybody."""
    reported: dict[str, Any] = answer.json()
    assert reported.pop("signup_secret")
    return reported


async def test_who_signs_up_again_is_accepted_when_no_one_knows_in_time(stack: Stack) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    email = f"{uuid4().hex[:12]}@example.com"
    async with stack.http(headers=key) as http:

        async def sign_up(password: str) -> httpx.Response:
            body = {"email": email, "password": password}
            return await http.post("/api/v1/auth/signup", json=body)

        async with stopped(stack, "signup"):
            first = await sign_up(PASSWORD)
            asked = asyncio.get_running_loop().time()
            again = await sign_up(OTHER)
            assert asyncio.get_running_loop().time() - asked < WAIT_SECONDS + SLACK_SECONDS
            assert [each.status_code for each in (first, again)] == [202, 202]
            assert sent_to_anyone(first) == sent_to_anyone(again)
        refused = await sign_up(OTHER)
        assert is_problem(refused, "idempotency-key-reused", retry=False), refused.text
    assert await stack.mailed_token(email)
    assert (await stack.sign_in(email)).access_token


async def test_mail_arrives_when_the_mail_server_returns(stack: Stack) -> None:
    dead = await dead_letters(stack)
    email = f"{uuid4().hex[:12]}@example.com"
    async with stopped(stack, "inbox"), stack.http() as http:
        body = {"email": email, "password": PASSWORD}
        assert (await http.post("/api/v1/auth/signup", json=body)).status_code == 202

        async def tried() -> bool:
            async with stack.postgres() as database:
                return bool(
                    await database.fetchval(
                        """
                        SELECT max(attempts) >= 1
                          FROM mails JOIN users ON users.id = mails.user_id
                         WHERE users.email = $1
                        """,
                        email,
                    )
                )

        await eventually(tried, seconds=120, what="an attempt to send")
    assert await stack.mailed_token(email, seconds=90)
    assert await dead_letters(stack) == dead


async def test_without_the_broker_clients_are_informed_in_time_and_it_recovers(
    stack: Stack,
) -> None:
    user = await stack.verified_user()
    gateway = stack.pid("gateway")
    email = f"{uuid4().hex[:12]}@example.com"
    key = {"Idempotency-Key": uuid4().hex}
    async with stack.http(headers=user.headers) as http:

        async def put(**body: str) -> httpx.Response:
            return await http.put("/api/v1/watchlist/AAPL", json=body, headers=key)

        async def sign_up() -> httpx.Response:
            body = {"email": email, "password": PASSWORD}
            return await http.post("/api/v1/auth/signup", json=body, headers=key)

        async with stopped(stack, "kafka"):
            for _ in range(3):
                asked = asyncio.get_running_loop().time()
                answer = await put(note="after all")
                took = asyncio.get_running_loop().time() - asked
                assert answer.status_code == 503, answer.text
                assert is_problem(answer, answer.json()["code"])
                assert answer.json()["code"] in {"broker-unavailable", "indeterminate"}
                assert took < PUBLISH_SECONDS + SLACK_SECONDS
            assert (await sign_up()).status_code == 503
            assert (await http.get("/api/v1/watchlist")).status_code == 200

        async def done() -> bool:
            return (await put(note="after all")).status_code in {200, 201}

        await eventually(done, seconds=60, what="a change")
        assert (await sign_up()).status_code == 202
        assert await stack.mailed_token(email)
        (item,) = (await http.get("/api/v1/watchlist")).json()["items"]
        assert item["note"] == "after all"
    assert stack.pid("gateway") == gateway
