"""Passwords, addresses, profiles and activity on the running system, with mails as they come."""

import re
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.e2e.outages import is_problem
from tests.support.stack import PASSWORD, Stack, User
from tests.support.waiting import eventually

NEW_PASSWORD = "Copper-meadow-27-violin"
FORGOT = "/api/v1/auth/password/forgot"
RESET = "/api/v1/auth/password/reset"
CHANGE = "/api/v1/auth/password/change"
CHANGE_EMAIL = "/api/v1/auth/email/change"
ME = "/api/v1/users/me"
ACTIVITY = "/api/v1/users/me/activity"


@pytest.fixture
async def user(stack: Stack) -> User:
    return await stack.verified_user()


def an_address() -> str:
    return f"{uuid4().hex[:12]}@example.com"


async def mail(stack: Stack, address: str, subject: str) -> dict[str, Any]:
    """The newest with this subject, when it is there."""

    async def find() -> dict[str, Any] | None:
        await stack.mails_may_go()
        mails = await stack.mails(address)
        return next((each for each in mails if each["subject"] == subject), None)

    found = await eventually(find, seconds=120, what=f"{subject!r} for {address}")
    assert found
    return found


async def link_in(stack: Stack, address: str, subject: str, page: str) -> str:
    """The token of a mailed link."""
    text = (await mail(stack, address, subject))["text"]
    found = re.search(rf"/{page}\?token=([A-Za-z0-9_-]+)", text)
    assert found, text
    return found[1]


async def sign_in(http: httpx.AsyncClient, email: str, password: str) -> int:
    answer = await http.post("/api/v1/auth/signin", json={"email": email, "password": password})
    return answer.status_code


async def until_out(http: httpx.AsyncClient, user: User) -> None:
    async def out() -> bool:
        return (await http.get(ME, headers=user.headers)).status_code == 401

    await eventually(out, seconds=2, what="being out")


async def test_a_forgotten_password_is_set_anew_with_the_mailed_link(
    stack: Stack, user: User
) -> None:
    other_session = await stack.sign_in(user.email)
    async with stack.http() as http:
        answer = await http.post(FORGOT, json={"email": user.email})
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
        token = await link_in(stack, user.email, "Set a new password", "reset")
        weak = await http.post(RESET, json={"token": token, "new_password": "weak"})
        assert is_problem(weak, "invalid-fields", retry=False)
        body = {"token": token, "new_password": NEW_PASSWORD}
        answer = await http.post(RESET, json=body)
        assert (answer.status_code, answer.json()) == (200, {"status": "done"})
        for session in (user, other_session):
            await until_out(http, session)
            answer = await http.post(
                "/api/v1/auth/refresh", json={"refresh_token": session.refresh_token}
            )
            assert answer.status_code == 401
        assert await sign_in(http, user.email, PASSWORD) == 401
        assert await sign_in(http, user.email, NEW_PASSWORD) == 200
        again = await http.post(RESET, json={"token": token, "new_password": PASSWORD})
        assert is_problem(again, "invalid-token", retry=False)
    assert await mail(stack, user.email, "Your password was changed")


async def test_who_is_unknown_is_answered_as_who_is_known(stack: Stack, user: User) -> None:
    async with stack.http() as http:
        known = await http.post(FORGOT, json={"email": user.email})
        unknown = await http.post(FORGOT, json={"email": an_address()})
    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content
    apart = {"x-request-id", "date", "ratelimit"}  # the last is what the client has left
    assert {n: v for n, v in known.headers.items() if n not in apart} == {
        n: v for n, v in unknown.headers.items() if n not in apart
    }


async def test_one_key_resets_once_and_answers_the_same(stack: Stack, user: User) -> None:
    async with stack.http() as http:
        await http.post(FORGOT, json={"email": user.email})
        token = await link_in(stack, user.email, "Set a new password", "reset")
        body = {"token": token, "new_password": NEW_PASSWORD}
        headers = {"Idempotency-Key": uuid4().hex}
        first, second = [await http.post(RESET, json=body, headers=headers) for _ in range(2)]
        assert first.status_code == second.status_code == 200
        other = await http.post(
            RESET, json=body | {"new_password": "Velvet-orchard-83"}, headers=headers
        )
        assert is_problem(other, "idempotency-key-reused", retry=False)


async def test_a_changed_password_leaves_this_session_and_ends_the_others(
    stack: Stack, user: User
) -> None:
    other_session = await stack.sign_in(user.email)
    async with stack.http() as http:
        body = {"current_password": "Wrong-horse-7", "new_password": NEW_PASSWORD}
        answer = await http.post(CHANGE, json=body, headers=user.headers)
        assert is_problem(answer, "wrong-password", retry=False)
        body["current_password"] = PASSWORD
        answer = await http.post(CHANGE, json=body, headers=user.headers)
        assert (answer.status_code, answer.content) == (204, b"")
        await until_out(http, other_session)
        assert (await http.get(ME, headers=user.headers)).status_code == 200
        tokens = await http.post("/api/v1/auth/refresh", json={"refresh_token": user.refresh_token})
        assert tokens.status_code == 200
        assert await sign_in(http, user.email, PASSWORD) == 401
        assert await sign_in(http, user.email, NEW_PASSWORD) == 200
    assert await mail(stack, user.email, "Your password was changed")


async def test_a_wrong_password_is_in_the_activity_once_for_each_try(
    stack: Stack, user: User
) -> None:
    headers = user.headers | {"Idempotency-Key": uuid4().hex, "User-Agent": "a-thief"}
    body = {"current_password": "Wrong-horse-7", "new_password": NEW_PASSWORD}
    async with stack.http(headers=user.headers) as http:
        for _ in range(2):
            answer = await http.post(CHANGE, json=body, headers=headers)
            assert is_problem(answer, "wrong-password", retry=False)
        answer = await http.post(f"{ME}/erase", json={"password": "Wrong-horse-7"})
        assert is_problem(answer, "wrong-password", retry=False)

        async def failed() -> list[dict[str, Any]]:
            entries: list[dict[str, Any]] = (await http.get(ACTIVITY)).json()["activity"]
            found = [e for e in entries if e["action"] == "user.password_check_failed"]
            return found if len(found) == 2 else []

        erasure, change = await eventually(failed, seconds=1.5, what="activity")
        assert erasure["details"]["purpose"] == "erasure"
        assert change["details"]["purpose"] == "password_change"
        assert (change["user_agent"], change["ip_address"]) == ("a-thief", "127.0.0.1")


async def test_another_address_counts_once_it_is_confirmed(stack: Stack, user: User) -> None:
    new = an_address()
    async with stack.http(headers=user.headers) as http:
        answer = await http.post(CHANGE_EMAIL, json={"new_email": new, "password": PASSWORD})
        assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
        assert await mail(stack, user.email, "Another address was asked for")
        assert (await http.get(ME)).json()["email"] == user.email
        token = await link_in(stack, new, "Confirm your new e-mail address", "verify")
        answer = await http.post("/api/v1/auth/verify", json={"token": token})
        assert answer.status_code == 200, answer.text
        profile = (await http.get(ME)).json()
        assert profile["email"] == new
        assert profile["email_confirmed_at"][:19] == answer.json()["email_confirmed_at"][:19]
        assert await sign_in(http, user.email, PASSWORD) == 401
        assert await sign_in(http, new, PASSWORD) == 200
    assert await mail(stack, user.email, "Your e-mail address was changed")


async def test_a_taken_address_reveals_nothing_and_its_owner_hears_of_it(
    stack: Stack, user: User
) -> None:
    owner = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        answers = [
            await http.post(CHANGE_EMAIL, json={"new_email": email, "password": PASSWORD})
            for email in (owner.email, an_address())
        ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert await mail(stack, owner.email, "Somebody asked for your address")
    assert await mail(stack, user.email, "Another address was asked for")


async def test_a_profile_is_read_as_it_was_written(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        answer = await http.patch(ME, json={"display_name": "Ada King"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["display_name"] == "Ada King"
        assert answer.json() == (await http.get(ME)).json()
        assert (await http.patch(ME, json={})).json()["display_name"] == "Ada King"
        assert (await http.patch(ME, json={"display_name": None})).json()["display_name"] is None
        for refused in (
            {"display_name": "<b>Ada</b>"},
            {"display_name": " "},
            {"email": "eve@example.com"},
            {"tier": "pro"},
        ):
            assert is_problem(await http.patch(ME, json=refused), "invalid-fields", retry=False)


async def test_a_user_sees_what_happened_to_the_account_and_no_one_elses(
    stack: Stack, user: User
) -> None:
    async with stack.http(headers=user.headers | {"User-Agent": "a-browser"}) as http:
        for name in ("One", "Two", "Three"):
            await http.patch(ME, json={"display_name": name})

        async def displayed() -> list[dict[str, Any]]:
            entries: list[dict[str, Any]] = (await http.get(ACTIVITY)).json()["activity"]
            updated = [e for e in entries if e["action"] == "user.profile_updated"]
            return entries if len(updated) == 3 else []

        entries = await eventually(displayed, seconds=1.5, what="activity")
        actions = [each["action"] for each in entries]
        assert actions == [
            *["user.profile_updated"] * 3,
            "user.signin",
            "user.email_verified",
            "user.signup",
        ]
        assert entries[0]["user_agent"] == "a-browser"
        assert entries[0]["ip_address"] == "127.0.0.1"
        assert "p1." not in str(entries)
        pages: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = (await http.get(f"{ACTIVITY}?limit=2{cursor}")).json()
            assert len(page["activity"]) <= 2
            pages += page["activity"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert pages == entries
        for wrong in ("limit=0", "limit=101", "limit=x", "cursor=x", "page=2", "limit=1&limit=2"):
            answer = await http.get(f"{ACTIVITY}?{wrong}")
            assert is_problem(answer, "invalid-fields", retry=False), wrong


@pytest.mark.parametrize("page_path", ["/verify", "/reset", "/undo"])
async def test_page_of_a_mailed_link_loads_only_its_own_files(stack: Stack, page_path: str) -> None:
    async with stack.http() as http:
        page = await http.get(page_path, params={"token": "a-token"})
        assert page.status_code == 200
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert "form-action 'none'" in page.headers["content-security-policy"]
        assert "a-token" not in page.text
        scripts = ""
        for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            assert path.startswith("/static/")
            answer = await http.get(path)
            assert answer.status_code == 200, path
            scripts += answer.text if path.endswith(".js") else ""
    assert "isTrusted" in scripts
    assert "http" not in scripts
