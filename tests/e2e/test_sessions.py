"""Sessions on the running system: refreshed, listed, ended, and every gateway knows of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.e2e.outages import is_problem, stopped
from tests.support.e2e.second_gateway import second_gateway
from tests.support.stack import PASSWORD, Stack, User
from tests.support.waiting import eventually

FELT_SECONDS = 1.0
FELT_WITHOUT_CACHE_SECONDS = 10.0
REFRESH = "/api/v1/auth/refresh"
SIGN_OUT = "/api/v1/auth/signout"
SESSIONS = "/api/v1/users/me/sessions"
ME = "/api/v1/users/me"


@pytest.fixture(scope="module")
async def other_gateway(stack: Stack) -> AsyncIterator[str]:
    """Where a second gateway listens."""
    async with second_gateway(stack) as (_, url):
        yield url


async def refresh(http: httpx.AsyncClient, token: str) -> httpx.Response:
    return await http.post(REFRESH, json={"refresh_token": token})


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def let_in(http: httpx.AsyncClient, headers: dict[str, str]) -> bool:
    answer = await http.get(SESSIONS, headers=headers)
    assert answer.status_code == 200 or is_problem(answer, "unauthenticated", retry=False)
    return answer.status_code == 200


async def until_kept_out(
    http: httpx.AsyncClient, headers: dict[str, str], *, seconds: float
) -> None:
    async def kept_out() -> bool:
        return not await let_in(http, headers)

    await eventually(kept_out, seconds=seconds, what="being kept out")


async def test_a_refresh_gives_a_new_pair_and_a_copy_ends_the_session(
    stack: Stack, user: User
) -> None:
    async with stack.http() as http:
        first = (await stack.sign_in(user.email)).refresh_token
        answer = await refresh(http, first)
        assert answer.status_code == 200, answer.text
        second = answer.json()
        assert second.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert await let_in(http, bearer(second))
        again = (await refresh(http, first)).json()
        assert again["refresh_token"] == second["refresh_token"]
        third = (await refresh(http, second["refresh_token"])).json()
        assert is_problem(await refresh(http, first), "token-reused", retry=False)
        assert not await let_in(http, bearer(third))
        for token in (first, third["refresh_token"]):
            answer = await refresh(http, token)
            assert answer.status_code == 401
            assert is_problem(answer, "invalid-refresh-token", retry=False)


@pytest.mark.parametrize("token", ["x", "A" * 66, f"{'A' * 22}.{'A' * 43}"])
async def test_what_is_no_refresh_token_is_refused(stack: Stack, token: str) -> None:
    async with stack.http() as http:
        answer = await refresh(http, token)
    assert answer.status_code == 401
    assert is_problem(answer, "invalid-refresh-token", retry=False)


async def test_fifty_at_once_over_two_gateways_receive_the_same_successor(
    stack: Stack, user: User, other_gateway: str
) -> None:
    token = (await stack.sign_in(user.email)).refresh_token
    async with stack.http() as here, httpx.AsyncClient(base_url=other_gateway, timeout=30) as there:
        answers = await asyncio.gather(
            *(refresh(there if n % 2 else here, token) for n in range(50))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_who_signs_out_is_out_at_once_and_everywhere(
    stack: Stack, user: User, other_gateway: str
) -> None:
    session = await stack.sign_in(user.email)
    async with stack.http() as here, httpx.AsyncClient(base_url=other_gateway, timeout=60) as there:
        assert await let_in(there, session.headers)
        answer = await here.post(SIGN_OUT, headers=session.headers)
        assert (answer.status_code, answer.content) == (204, b"")
        assert not await let_in(here, session.headers)
        await until_kept_out(there, session.headers, seconds=FELT_SECONDS)
        assert (await refresh(there, session.refresh_token)).status_code == 401
        assert await let_in(here, user.headers)


async def test_without_the_cache_server_a_sign_out_is_felt_within_seconds(
    stack: Stack, user: User, other_gateway: str
) -> None:
    session = await stack.sign_in(user.email)
    async with (
        stopped(stack, "valkey"),
        stack.http() as here,
        httpx.AsyncClient(base_url=other_gateway, timeout=60) as there,
    ):
        answer = await here.post(SIGN_OUT, headers=session.headers)
        assert answer.status_code == 204, answer.text
        assert not await let_in(here, session.headers)
        await until_kept_out(there, session.headers, seconds=FELT_WITHOUT_CACHE_SECONDS)


async def test_one_idempotency_key_signs_two_sessions_out(stack: Stack, user: User) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    async with stack.http() as http:
        for session in [await stack.sign_in(user.email) for _ in range(2)]:
            answer = await http.post(SIGN_OUT, headers=session.headers | key)
            assert answer.status_code == 204, answer.text
            assert (await refresh(http, session.refresh_token)).status_code == 401


async def test_what_a_user_may_do_is_felt_with_the_same_token(
    stack: Stack, other_gateway: str
) -> None:
    user = await stack.verified_user()
    async with stack.postgres() as conn:
        await conn.execute(
            """
            UPDATE users SET tier = 'plus', version = version + 1, updated_at = now()
             WHERE email = $1
            """,
            user.email,
        )
    async with stack.http() as here, httpx.AsyncClient(base_url=other_gateway, timeout=60) as there:

        async def felt() -> bool:
            answers = [
                await g.get("/api/v1/watchlist", headers=user.headers) for g in (here, there)
            ]
            return {answer.json()["limit"] for answer in answers} == {200}

        await eventually(felt, seconds=FELT_WITHOUT_CACHE_SECONDS, what="the higher limit")


async def test_a_user_sees_all_sessions_and_ends_one(stack: Stack, other_gateway: str) -> None:
    here = await stack.verified_user()
    other_session = await stack.sign_in(here.email)
    async with stack.http(headers=here.headers) as http:
        found = (await http.get(SESSIONS)).json()["sessions"]
        assert [each["current"] for each in found] == [False, True]
        assert all(each["created_at"] <= each["last_used_at"] for each in found)
        answer = await http.delete(f"{SESSIONS}/{found[0]['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        (left,) = (await http.get(SESSIONS)).json()["sessions"]
        assert left["id"] == found[1]["id"]
    async with httpx.AsyncClient(base_url=other_gateway, timeout=60) as there:
        await until_kept_out(there, other_session.headers, seconds=FELT_SECONDS)
        assert (await refresh(there, other_session.refresh_token)).status_code == 401
        assert await let_in(there, here.headers)


async def test_the_session_of_someone_else_is_unknown(stack: Stack, user: User) -> None:
    stranger = await stack.verified_user()
    async with stack.http() as http:
        theirs = (await http.get(SESSIONS, headers=stranger.headers)).json()["sessions"]
        for unknown in (theirs[0]["id"], str(uuid4()), "no-id"):
            answer = await http.delete(f"{SESSIONS}/{unknown}", headers=user.headers)
            assert answer.status_code == 404
            assert is_problem(answer, "unknown-session", retry=False)
        assert await let_in(http, stranger.headers)


async def test_a_session_that_began_before_the_address_was_confirmed_is_let_in_after(
    stack: Stack, other_gateway: str
) -> None:
    email = f"{uuid4().hex[:12]}@example.com"
    async with stack.http() as here, httpx.AsyncClient(base_url=other_gateway, timeout=60) as there:
        account = {"email": email, "password": PASSWORD}
        assert (await here.post("/api/v1/auth/signup", json=account)).status_code == 202
        mailed = await stack.mailed_token(email)
        early = await stack.sign_in(email)
        answer = await there.get("/api/v1/watchlist", headers=early.headers)
        assert is_problem(answer, "email-not-verified", retry=False)
        answer = await here.post(
            "/api/v1/auth/verify", json={"token": mailed, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        for http in (here, there):
            answer = await http.get("/api/v1/watchlist", headers=early.headers)
            assert answer.status_code == 200, answer.text


async def test_each_of_it_is_in_the_audit_log(stack: Stack) -> None:
    user = await stack.verified_user()
    async with stack.http() as http:
        tokens = (await refresh(http, user.refresh_token)).json()
        other = await stack.sign_in(user.email)
        found = (await http.get(SESSIONS, headers=other.headers)).json()["sessions"]
        mine = next(each["id"] for each in found if not each["current"])
        await http.delete(f"{SESSIONS}/{mine}", headers=other.headers)
        await http.post(SIGN_OUT, headers=other.headers)
    assert tokens["access_token"]

    async def recorded() -> bool:
        async with stack.postgres() as conn:
            rows = await conn.fetch(
                """
                SELECT action FROM audit_log
                 WHERE user_id = (SELECT id FROM users WHERE email = $1) AND ip_address IS NOT NULL
                """,
                user.email,
            )
        wanted = {"user.token_refreshed", "user.session_revoked", "user.signout"}
        return wanted <= {row["action"] for row in rows}

    await eventually(recorded, what="the audit log")
