"""Sessions of browsers over the whole way: the refresh token is in a cookie."""

import asyncio
from http.cookies import Morsel, SimpleCookie

import httpx
import pytest

from tests.support.stack import PASSWORD, Stack, User

PATH = "/api/v1/auth/session"


def page_of(stack: Stack) -> dict[str, str]:
    """Headers as a page of the gateway's own origin sends them."""
    return {"Origin": stack.urls["gateway"]["url"], "X-CSRF-Protection": "1"}


def cookie_of(answer: httpx.Response) -> Morsel[str]:
    [morsel] = SimpleCookie(answer.headers["set-cookie"]).values()
    return morsel


def sent(cookie: Morsel[str]) -> dict[str, str]:
    return {"Cookie": f"{cookie.key}={cookie.value}"}


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def signed_in(http: httpx.AsyncClient, user: User) -> httpx.Response:
    answer = await http.post(PATH, json={"email": user.email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return answer


async def test_refresh_token_is_in_a_cookie_that_no_script_can_read(stack: Stack) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=page_of(stack)) as http:
        answer = await signed_in(http, user)
        assert set(answer.json()) == {"access_token", "token_type", "expires_in"}
        cookie = cookie_of(answer)
        assert cookie["path"] == PATH
        assert (cookie["httponly"], cookie["secure"]) == (True, True)
        assert (cookie["samesite"], cookie["domain"]) == ("Strict", "")
        assert int(cookie["max-age"]) == 30 * 24 * 3600
        assert cookie.value not in answer.text


async def test_cookie_is_exchanged_and_signing_out_removes_it(stack: Stack) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=page_of(stack)) as http:
        cookie = cookie_of(await signed_in(http, user))
        refreshed = await http.post(f"{PATH}/refresh", headers=sent(cookie))
        assert refreshed.status_code == 200, refreshed.text
        bearer = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}
        out = await http.delete(PATH, headers={**bearer, "Prefer": "wait=20"})
        assert out.status_code == 204
        assert (cookie_of(out).value, cookie_of(out)["max-age"]) == ("", "0")
        ended = await http.post(f"{PATH}/refresh", headers=sent(cookie_of(refreshed)))
        assert problem(ended) == (401, "invalid-refresh-token")
        assert cookie_of(ended)["max-age"] == "0"
        me = await http.get("/api/v1/users/me", headers=bearer)
        assert me.status_code == 401


async def test_tabs_that_refresh_at_once_and_after_each_other_stay_signed_in(
    stack: Stack,
) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=page_of(stack)) as http:
        cookie = cookie_of(await signed_in(http, user))
        at_once = await asyncio.gather(
            *(http.post(f"{PATH}/refresh", headers=sent(cookie)) for _ in range(10))
        )
        assert {answer.status_code for answer in at_once} == {200}
        [value] = {cookie_of(answer).value for answer in at_once}
        late = await http.post(f"{PATH}/refresh", headers=sent(cookie))
        assert (late.status_code, cookie_of(late).value) == (200, value)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"X-CSRF-Protection": "no"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_request_of_another_page_is_refused_and_changes_nothing(
    stack: Stack, headers: dict[str, str]
) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=page_of(stack)) as http:
        answer = await signed_in(http, user)
        cookie, bearer = cookie_of(answer), f"Bearer {answer.json()['access_token']}"
        credentials = {**sent(cookie), "Authorization": bearer}
        body = {"email": user.email, "password": PASSWORD}
        for method, path, json in (
            ("POST", PATH, body),
            ("POST", f"{PATH}/refresh", None),
            ("DELETE", PATH, None),
        ):
            refused = await http.request(method, path, json=json, headers=credentials | headers)
            assert problem(refused) == (403, "untrusted-origin")
            assert "set-cookie" not in refused.headers
        assert (await http.post(f"{PATH}/refresh", headers=sent(cookie))).status_code == 200


@pytest.mark.parametrize("value", [None, "", "x", "x" * 4_000, "a.b", "ä"])
async def test_bad_cookie_is_a_problem_and_removed(stack: Stack, value: str | None) -> None:
    async with stack.http(headers=page_of(stack)) as http:
        headers = [] if value is None else [(b"Cookie", f"qnt9_refresh={value}".encode())]
        answer = await http.post(f"{PATH}/refresh", headers=headers)
        assert problem(answer) == (401, "invalid-refresh-token")
        assert cookie_of(answer)["max-age"] == "0"


async def test_json_transport_ignores_the_cookie(stack: Stack) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=page_of(stack)) as http:
        cookie = cookie_of(await signed_in(http, user))
        answer = await http.post("/api/v1/auth/refresh", json={}, headers=sent(cookie))
        assert problem(answer) == (422, "invalid-fields")
        assert "set-cookie" not in answer.headers
