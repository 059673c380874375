"""Admins on the running system: what they change is felt, what they may not is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.e2e.broker_view import until_quiescent
from tests.support.e2e.outages import is_problem
from tests.support.e2e.second_gateway import second_gateway
from tests.support.stack import Stack, User
from tests.support.waiting import eventually

FELT_SECONDS = 1.0
USERS = "/api/v1/admin/users"
AUDIT = "/api/v1/admin/audit"
WATCHLIST = "/api/v1/watchlist"
ONCE = "Silver-thicket-94-anchor"


@pytest.fixture(scope="module")
async def admin(stack: Stack) -> User:
    return await stack.admin()


@pytest.fixture(scope="module")
async def other_gateway(stack: Stack) -> AsyncIterator[str]:
    """Where a second gateway listens."""
    async with second_gateway(stack) as (_, url):
        yield url


@pytest.fixture
async def http(stack: Stack, admin: User) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.http(headers=admin.headers) as client:
        yield client


async def id_of(http: httpx.AsyncClient, email: str) -> str:
    answer = await http.get(USERS, params={"email": email.upper()})
    assert answer.status_code == 200, answer.text
    [found] = answer.json()["users"]
    assert found["email"] == email
    return str(found["id"])


async def test_a_tier_is_felt_everywhere_within_a_second_with_the_same_token(
    stack: Stack, http: httpx.AsyncClient, other_gateway: str
) -> None:
    user = await stack.verified_user()
    user_id = await id_of(http, user.email)
    async with stack.http() as here, httpx.AsyncClient(base_url=other_gateway, timeout=60) as there:
        for tier, limit in (("pro", 1_000), ("free", 50), ("plus", 200)):
            answer = await http.put(f"{USERS}/{user_id}/tier", json={"tier": tier})
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"id": user_id, "tier": tier, "permissions": []}

            async def felt(limit: int = limit) -> bool:
                answers = [await g.get(WATCHLIST, headers=user.headers) for g in (here, there)]
                return {answer.json()["limit"] for answer in answers} == {limit}

            await eventually(felt, seconds=FELT_SECONDS, what=f"the limit of {tier}")


async def test_after_a_downgrade_what_is_there_stays_and_nothing_is_added(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    user = await stack.verified_user()
    user_id = await id_of(http, user.email)
    await http.put(f"{USERS}/{user_id}/tier", json={"tier": "plus"})
    async with stack.postgres() as conn:
        await conn.execute(
            """
            INSERT INTO watchlist_items (user_id, symbol)
            SELECT $1::uuid, 'X' || to_char(n, 'FM0000') || '.DE' FROM generate_series(1, 60) AS n
            """,
            user_id,
        )
    await http.put(f"{USERS}/{user_id}/tier", json={"tier": "free"})
    async with stack.http(headers=user.headers) as own:
        answer = await own.put(f"{WATCHLIST}/AAPL")
        assert answer.status_code == 409
        assert is_problem(answer, "watchlist-full", retry=False)
        answer = await own.put(f"{WATCHLIST}/X0001.DE", json={"note": "still mine"})
        assert answer.status_code == 200, answer.text
        assert len((await own.get(WATCHLIST)).json()["items"]) == 60


async def test_who_may_not_is_refused(stack: Stack, http: httpx.AsyncClient) -> None:
    user = await stack.verified_user()
    user_id = await id_of(http, user.email)
    async with stack.http() as own:
        for method, path, body in (
            ("PUT", f"{USERS}/{user_id}/tier", {"tier": "pro"}),
            ("PUT", f"{USERS}/{user_id}/permissions", {"permissions": ["admin"]}),
            ("GET", USERS, None),
            ("GET", AUDIT, None),
        ):
            answer = await own.request(method, path, json=body, headers=user.headers)
            assert answer.status_code == 403
            assert is_problem(answer, "forbidden", retry=False)
            answer = await own.request(method, path, json=body)
            assert answer.status_code == 401


async def test_a_withdrawn_permission_is_felt_at_once_by_every_gateway(
    stack: Stack, http: httpx.AsyncClient, other_gateway: str
) -> None:
    deputy = await stack.verified_user()
    path = f"{USERS}/{await id_of(http, deputy.email)}/permissions"
    async with stack.http() as here, httpx.AsyncClient(base_url=other_gateway, timeout=60) as there:
        for permissions, status in ((["admin"], 200), ([], 403)):
            answer = await http.put(path, json={"permissions": permissions})
            assert answer.status_code == 200, answer.text
            assert answer.json()["permissions"] == permissions
            for gateway in (here, there):
                answer = await gateway.get(USERS, headers=deputy.headers)
                assert answer.status_code == status
        me = await here.get("/api/v1/users/me", headers=deputy.headers)
        assert me.json()["permissions"] == []


async def test_someone_stays_an_admin(stack: Stack, http: httpx.AsyncClient, admin: User) -> None:
    async with stack.postgres() as conn:
        await conn.execute("UPDATE users SET permissions = '{}' WHERE email <> $1", admin.email)
    path = f"{USERS}/{await id_of(http, admin.email)}/permissions"
    answer = await http.put(path, json={"permissions": []})
    assert answer.status_code == 409
    assert is_problem(answer, "last-admin", retry=False)


@pytest.mark.parametrize("who", ["00000000-0000-4000-8000-000000000000", "no-id"])
async def test_no_one_is_not_found(http: httpx.AsyncClient, who: str) -> None:
    answer = await http.put(f"{USERS}/{who}/tier", json={"tier": "pro"})
    assert answer.status_code == 404
    assert is_problem(answer, "unknown-user", retry=False)


async def test_users_are_listed_page_by_page_by_tier_and_verification(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    made = [(await stack.verified_user()).email for _ in range(3)]
    for email in made:
        await http.put(f"{USERS}/{await id_of(http, email)}/tier", json={"tier": "pro"})
    pages: list[list[str]] = []
    params: dict[str, Any] = {"tier": "pro", "verified": "true", "limit": 2}
    while True:
        page = (await http.get(USERS, params=params)).json()
        pages.append([each["email"] for each in page["users"]])
        if not page["next_cursor"]:
            break
        params["cursor"] = page["next_cursor"]
    assert [*reversed(made)] == [email for page in pages for email in page][:3]
    unverified = (await http.get(USERS, params={"verified": "false", "email": made[0]})).json()
    assert unverified == {"users": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (USERS, {"email": "no address"}),
        (USERS, {"tier": "gold"}),
        (USERS, {"verified": "perhaps"}),
        (USERS, {"limit": "0"}),
        (USERS, {"cursor": "AAAA"}),
        (USERS, {"colour": "red"}),
        (AUDIT, {"user_id": "no-id"}),
        (AUDIT, {"correlation_id": "a\0b"}),
        (AUDIT, {"action": "user.\0"}),
        (AUDIT, {"from": "yesterday"}),
        (AUDIT, {"from": "1793696820.5"}),
        (AUDIT, {"from": "2026-11-03T09:00:00"}),
        (AUDIT, {"to": "0001-01-01T00:00:00+14:00"}),
    ],
)
async def test_a_query_that_cannot_be_is_refused_by_name(
    http: httpx.AsyncClient, path: str, query: dict[str, str]
) -> None:
    answer = await http.get(path, params=query)
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [*query]


async def test_the_audit_log_says_who_did_what_to_whom(
    stack: Stack, http: httpx.AsyncClient, admin: User
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    user = await stack.verified_user()
    user_id = await id_of(http, user.email)
    for tier in ("plus", "pro"):
        await http.put(f"{USERS}/{user_id}/tier", json={"tier": tier})
    wanted = {"user_id": user_id, "action": "user.tier_changed", "from": began.isoformat()}

    async def entries() -> list[dict[str, Any]]:
        answer = await http.get(AUDIT, params=wanted)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["entries"]
        return found if len(found) == 2 else []

    last, first = await eventually(entries, what="the audit log")
    assert first["details"] == {"former_tier": "free", "tier": "plus"}
    assert last["details"] == {"former_tier": "plus", "tier": "pro"}
    assert first["user_id"] == user_id
    assert first["actor_id"] == await id_of(http, admin.email)
    assert first["ip_address"] == "127.0.0.1"
    copied = wanted | {"from": last["created_at"]}
    assert (await http.get(AUDIT, params=copied)).json()["entries"] == [last]
    query = "&".join(f"{name}={value}" for name, value in copied.items())  # nothing is encoded
    assert (await http.get(f"{AUDIT}?{query}")).json()["entries"] == [last]
    caused = {"correlation_id": first["correlation_id"]}
    assert (await http.get(AUDIT, params=caused)).json()["entries"] == [first]
    page = (await http.get(AUDIT, params=wanted | {"limit": 1})).json()
    assert page["entries"] == [last]
    remaining = (await http.get(AUDIT, params=wanted | {"cursor": page["next_cursor"]})).json()
    assert remaining == {"entries": [first], "next_cursor": None}
    before = {"user_id": user_id, "to": began.isoformat()}
    assert (await http.get(AUDIT, params=before)).json()["entries"] == []


async def test_entries_hold_no_ciphertext(http: httpx.AsyncClient) -> None:
    async def entries() -> str:
        answer = await http.get(AUDIT, params={"action": "user.signup", "limit": 100})
        return answer.text if answer.json()["entries"] else ""

    assert "p1." not in await eventually(entries, what="the audit log")


def create_admin(stack: Stack, email: str, password: str | None) -> tuple[int, str, str]:
    options = ["--password-stdin"] if password else []
    with stack.begin("user", "create-admin", email, "--json", *options) as running:
        out, err = running.communicate(password and f"{password}\n", timeout=60)
    return running.returncode, out, err


async def test_the_operator_makes_the_first_admin(stack: Stack) -> None:
    email = f"{uuid4().hex[:12]}@example.com"
    for bad, code in (("short", 1), (None, 2)):
        done = await asyncio.to_thread(create_admin, stack, email, bad)
        assert done[0] == code, done
    code, out, _ = await asyncio.to_thread(create_admin, stack, email, ONCE)
    made = json.loads(out)
    assert (code, made["did"]) == (0, "created")
    code, out, _ = await asyncio.to_thread(create_admin, stack, email, None)
    assert (code, json.loads(out)) == (0, {"id": made["id"], "did": "nothing"})
    root = await stack.sign_in(email, ONCE)
    wanted = {"user.signup", "user.email_verified", "user.permissions_changed"}
    async with stack.http(headers=root.headers) as http:

        async def recorded() -> bool:
            answer = await http.get(AUDIT, params={"user_id": made["id"]})
            return wanted <= {each["action"] for each in answer.json()["entries"]}

        await eventually(recorded, what="the audit log")
    await until_quiescent(stack)
    async with stack.postgres() as conn:
        query = "SELECT count(*) FROM mails JOIN users ON users.id = user_id WHERE email = $1"
        assert await conn.fetchval(query, email) == 0, "who writes mails has read of it"
    assert await stack.mails(email) == []


async def test_the_operator_sees_who_someone_is(stack: Stack, admin: User) -> None:
    [by_address] = json.loads(
        await asyncio.to_thread(stack.qnt9, "user", "show", admin.email, "--json")
    )["users"]
    assert (by_address["email"], by_address["state"]) == (admin.email, "verified")
    assert by_address["permissions"] == ["admin"]
    assert by_address["sessions"]

    async def with_activity() -> str:
        text = await asyncio.to_thread(stack.qnt9, "user", "show", by_address["id"])
        return text if "user.permissions_changed" in text else ""

    text = await eventually(with_activity, what="activity")
    assert by_address["id"] in text
    assert admin.email not in text
    unknown = await asyncio.to_thread(stack.run, "user", "show", str(uuid4()))
    assert (unknown.returncode, "no such user" in unknown.stderr) == (1, True)
