"""One Idempotency-Key: sent by many at once over two gateways, and again after a crash."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import httpx
import pytest

from tests.support.e2e.broker_view import until_quiescent
from tests.support.e2e.outages import (
    is_problem,
    stopped,
    until_settled,
)
from tests.support.e2e.repeated_requests import ITEM, ME, PATIENTLY, added, answers_of, emitted
from tests.support.e2e.second_gateway import second_gateway
from tests.support.stack import PASSWORD, Stack

AT_ONCE = 200


SIGN_UP = "/api/v1/auth/signup"


OTHER = f"{PASSWORD}!"


Send = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


@pytest.fixture
async def gateways(stack: Stack) -> AsyncIterator[list[httpx.AsyncClient]]:
    """A client of each of two, with room for everybody at once."""
    room = httpx.Limits(max_connections=AT_ONCE)
    async with AsyncExitStack() as opened:
        _, url = await opened.enter_async_context(second_gateway(stack))
        first = await opened.enter_async_context(stack.http(limits=room, timeout=60))
        second = httpx.AsyncClient(base_url=url, limits=room, timeout=60)
        yield [first, await opened.enter_async_context(second)]


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex[:12]}@example.com"


async def at_once(gateways: list[httpx.AsyncClient], *sends: Send) -> list[httpx.Response]:
    """All requests under way together, every other one at the other gateway."""
    chosen = [
        (sends[n // len(gateways) % len(sends)], gateways[n % len(gateways)])
        for n in range(AT_ONCE)
    ]
    return await asyncio.gather(*(send(gateway) for send, gateway in chosen))


def signing_up(email: str) -> Callable[[str], Send]:
    """With one key, whatever the password."""
    key = {"Idempotency-Key": uuid4().hex}

    def with_password(password: str) -> Send:
        body = {"email": email, "password": password}
        return lambda gateway: gateway.post(SIGN_UP, json=body, headers=key)

    return with_password


async def signed_up(stack: Stack, email: str) -> str:
    """The one account of an address, and that it was made once."""
    await until_quiescent(stack)
    async with stack.postgres() as conn:
        rows = await conn.fetch("SELECT id FROM users WHERE email = $1", email)
    (user_id,) = [str(row["id"]) for row in rows]
    assert await emitted(stack, user_id) == ["qnt9.user.signed_up.v1"]
    return user_id


async def test_one_key_two_hundred_times_signs_up_once(
    stack: Stack, gateways: list[httpx.AsyncClient], email: str
) -> None:
    sign_up = signing_up(email)
    (accepted,) = answers_of(await at_once(gateways, sign_up(PASSWORD)))
    assert accepted[0] == 202
    token = await stack.mailed_token(email)
    for gateway in gateways:
        refused = await sign_up(OTHER)(gateway)
        assert refused.status_code == 422
        assert is_problem(refused, "idempotency-key-reused", retry=False)
        assert answers_of([await sign_up(PASSWORD)(gateway)]) == {accepted}
    await signed_up(stack, email)
    answer = await gateways[0].post(
        "/api/v1/auth/verify", json={"token": token, "password": PASSWORD}
    )
    assert answer.status_code == 200, answer.text
    assert (await stack.sign_in(email)).access_token
    # Now that the address is taken the answer is the same.
    assert answers_of([await sign_up(PASSWORD)(gateways[1])]) == {accepted}
    assert len(await stack.mails(email)) == 1


async def test_of_two_passwords_at_once_one_counts_and_the_other_is_refused(
    stack: Stack, gateways: list[httpx.AsyncClient], email: str
) -> None:
    sign_up = signing_up(email)
    answers = await at_once(gateways, sign_up(PASSWORD), sign_up(OTHER))
    await signed_up(stack, email)
    sent = [(PASSWORD, OTHER)[n // len(gateways) % 2] for n in range(AT_ONCE)]
    accepted = {
        password for password, answer in zip(sent, answers, strict=True) if answer.is_success
    }
    refused = [answer for answer in answers if not answer.is_success]
    assert len(accepted) == 1
    assert len(refused) == AT_ONCE // 2
    assert all(is_problem(each, "idempotency-key-reused", retry=False) for each in refused)
    assert (await stack.sign_in(email, *accepted)).access_token


async def test_without_the_cache_server_a_sign_up_is_refused_by_what_became_of_the_first(
    stack: Stack, gateways: list[httpx.AsyncClient], email: str
) -> None:
    sign_up = signing_up(email)
    async with stopped(stack, "valkey"):
        (accepted,) = answers_of([await sign_up(PASSWORD)(gateways[0])])
        assert accepted[0] == 202
        await signed_up(stack, email)
        for gateway in gateways:
            refused = await sign_up(OTHER)(gateway)
            assert is_problem(refused, "idempotency-key-reused", retry=False)
            assert answers_of([await sign_up(PASSWORD)(gateway)]) == {accepted}


async def test_one_key_two_hundred_times_adds_once(
    stack: Stack, gateways: list[httpx.AsyncClient]
) -> None:
    user = await stack.verified_user()
    headers = user.headers | PATIENTLY | {"Idempotency-Key": uuid4().hex}

    def put(note: str) -> Send:
        return lambda gateway: gateway.put(ITEM, json={"note": note}, headers=headers)

    answers = await at_once(gateways, put("once"))
    assert answers_of(answers) == {(201, b'{"note":"once","symbol":"AAPL"}')}
    for gateway in gateways:
        refused = await put("other")(gateway)
        assert refused.status_code == 422
        assert is_problem(refused, "idempotency-key-reused", retry=False)
    later = await gateways[0].put(ITEM, json={"note": "later"}, headers=user.headers)
    assert later.status_code == 200
    assert answers_of([await put("once")(gateway) for gateway in gateways]) == answers_of(answers)
    (item,) = (await gateways[1].get("/api/v1/watchlist", headers=user.headers)).json()["items"]
    assert item["note"] == "later"


async def test_of_two_bodies_at_once_one_counts_and_the_other_is_refused(
    stack: Stack, gateways: list[httpx.AsyncClient]
) -> None:
    user = await stack.verified_user()
    headers = user.headers | PATIENTLY | {"Idempotency-Key": uuid4().hex}

    def put(note: str) -> Send:
        return lambda gateway: gateway.put(ITEM, json={"note": note}, headers=headers)

    answers = await at_once(gateways, put("one"), put("two"))
    (item,) = (await gateways[0].get("/api/v1/watchlist", headers=user.headers)).json()["items"]
    added = [answer for answer in answers if answer.status_code == 201]
    assert {answer.json()["note"] for answer in added} == {item["note"]}
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(added) == len(refused) == AT_ONCE // 2
    assert all(is_problem(each, "idempotency-key-reused", retry=False) for each in refused)


async def test_one_key_two_hundred_times_changes_a_profile_once(
    stack: Stack, gateways: list[httpx.AsyncClient]
) -> None:
    user = await stack.verified_user()
    headers = user.headers | PATIENTLY | {"Idempotency-Key": uuid4().hex}

    def patch(name: str) -> Send:
        return lambda gateway: gateway.patch(ME, json={"display_name": name}, headers=headers)

    answers = await at_once(gateways, patch("Once"))
    (answered,) = answers_of(answers)
    assert answered[0] == 200
    profile = answers[0].json()
    assert profile["display_name"] == "Once"
    assert is_problem(await patch("Other")(gateways[1]), "idempotency-key-reused", retry=False)
    reported = await emitted(stack, profile["id"])
    assert reported.count("qnt9.user.profile_updated.v1") == 1


async def test_all_who_do_not_wait_follow_the_one_command(
    stack: Stack, gateways: list[httpx.AsyncClient]
) -> None:
    user = await stack.verified_user()
    headers = user.headers | {"Idempotency-Key": uuid4().hex, "Prefer": "respond-async"}

    async def put(gateway: httpx.AsyncClient) -> httpx.Response:
        return await gateway.put(ITEM, json={"note": "once"}, headers=headers)

    answers = await at_once(gateways, put)
    assert {answer.status_code for answer in answers} == {202}
    assert await until_settled(stack, user, answers[0]) == "succeeded"
    statuses = [
        await gateways[n % 2].get(answer.headers["location"], headers=user.headers)
        for n, answer in enumerate(answers)
    ]
    # A handle knows when it was given, so there may be several; what they lead to is one command.
    (reported,) = {json.dumps(status.json() | {"id": ""}) for status in statuses}
    assert json.loads(reported)["status"] == "succeeded"
    assert json.loads(reported)["result"] == {"symbol": "AAPL", "note": "once"}
    assert await added(stack, user) == 1
