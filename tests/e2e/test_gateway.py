"""The HTTP contract on the running system: errors, preferences, repetitions, handles."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contracts.commands import AddToWatchlist
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from gateway.commands.status_token import Handle
from gateway.routes import ENDPOINTS
from infra.runtime.settings import OutcomeSettings
from infra.security.seals import decode_key
from tests.support.stack import PASSWORD, Stack, User, eventually

JSON = {"Content-Type": "application/json"}
ITEM = "/api/v1/watchlist/AAPL"
SIGN_IN = "/api/v1/auth/signin"


@pytest.fixture(scope="module")
async def user(stack: Stack) -> User:
    return await stack.verified_user()


@pytest.fixture
async def http(stack: Stack, user: User) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.http(headers=user.headers) as client:
        yield client


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem, which must be whole."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code
    assert body["type"] == f"urn:qnt9:problem:{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body.keys() - {"errors"} == {"type", "title", "status", "detail", "code", "request_id"}
    return body


@pytest.mark.parametrize("path", [ITEM, "/api/v1/watchlist", "/api/v1/users/me"])
async def test_without_a_token_nobody_is_let_in(stack: Stack, path: str) -> None:
    method = "PUT" if path == ITEM else "GET"
    async with stack.http() as http:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = await http.request(method, path, headers=headers)
            problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer ")


async def test_an_address_must_be_verified_first(stack: Stack) -> None:
    email = f"{uuid4().hex[:12]}@example.com"
    async with stack.http() as http:
        body = {"email": email, "password": PASSWORD}
        assert (await http.post("/api/v1/auth/signup", json=body)).status_code == 202
        await stack.mailed_token(email)
        user = await stack.sign_in(email)
        for method, path in (("GET", "/api/v1/watchlist"), ("PUT", ITEM)):
            answer = await http.request(method, path, headers=user.headers)
            problem(answer, 403, "email-not-verified")
        me = await http.get("/api/v1/users/me", headers=user.headers)
        assert me.json()["email_confirmed_at"] is None


async def test_what_is_not_there_is_not_found(http: httpx.AsyncClient) -> None:
    for path in ("/nowhere", "/api/v1/nowhere", "/api/v1/watchlist/", "/verify/"):
        problem(await http.get(path), 404, "not-found")


async def test_a_wrong_method_is_told_the_right_ones(http: httpx.AsyncClient) -> None:
    answer = await http.patch(ITEM)
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "DELETE, PUT"


async def test_a_body_that_is_too_large_is_not_read(stack: Stack) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    async with stack.http(headers=JSON) as http:
        problem(await http.post(SIGN_IN, content=b" " * 100_000), 413, "body-too-large")
        problem(await http.post(SIGN_IN, content=chunks()), 413, "body-too-large")


async def test_a_body_of_another_kind_is_not_taken(stack: Stack) -> None:
    async with stack.http() as http:
        problem(await http.post(SIGN_IN, data={"email": "x"}), 415, "unsupported-media-type")


@pytest.mark.parametrize("body", ["{", '{"email": NaN}', '"\\ud800"', "\xff"])
async def test_what_is_no_json_is_malformed(stack: Stack, body: str) -> None:
    async with stack.http(headers=JSON) as http:
        answer = await http.post(SIGN_IN, content=body.encode("latin-1"))
        problem(answer, 400, "malformed-request")


async def test_byte_order_mark_and_blanks_around_an_address_are_taken(
    stack: Stack, user: User
) -> None:
    credentials = json.dumps({"email": f" {user.email}\u00a0 ", "password": PASSWORD})
    async with stack.http(headers=JSON) as http:
        for body in (credentials, f"\ufeff{credentials}"):
            answer = await http.post(SIGN_IN, content=body.encode())
            assert answer.status_code == 200, answer.text


async def test_every_field_at_fault_is_named_without_its_value(stack: Stack) -> None:
    body = {"email": "no address", "password": "hunter2", "display_name": "<b>x</b>", "more": 1}
    async with stack.http() as http:
        answer = await http.post("/api/v1/auth/signup", json=body)
    errors = problem(answer, 422, "invalid-fields")["errors"]
    assert [each["field"] for each in errors] == ["email", "password", "display_name", "more"]
    assert all(each["message"] for each in errors)
    assert "hunter2" not in answer.text
    assert "Value error" not in answer.text


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"text"'])
async def test_a_body_must_be_an_object(stack: Stack, body: bytes) -> None:
    async with stack.http(headers=JSON) as http:
        found = problem(await http.post(SIGN_IN, content=body), 422, "invalid-fields")
    assert found["errors"] == [{"field": "", "message": "The body should be a JSON object"}]


async def test_a_body_that_may_be_left_out_is_an_object_where_it_is_not(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.put("/api/v1/watchlist/MSFT", content=b"null", headers=JSON)
    problem(answer, 422, "invalid-fields")


@pytest.mark.parametrize("symbol", ["NOSUCH", "not a symbol", "%3Cscript%3E", "X" * 40])
async def test_an_unknown_symbol_is_not_found(http: httpx.AsyncClient, symbol: str) -> None:
    problem(await http.put(f"/api/v1/watchlist/{symbol}"), 404, "unknown-symbol")


async def test_credentials_that_do_not_match_are_refused_alike(stack: Stack, user: User) -> None:
    answers = []
    async with stack.http(headers={"X-Request-ID": "the-same"}) as http:
        for email in (user.email, f"{uuid4().hex[:12]}@example.com"):
            body = {"email": email, "password": "Wooden-compass-37-ribbon"}
            answers.append(await http.post(SIGN_IN, json=body))
    for answer in answers:
        problem(answer, 401, "invalid-credentials")
    known, unknown = answers
    assert known.content == unknown.content
    assert known.headers.keys() == unknown.headers.keys()


async def test_an_invalid_idempotency_key_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.put(ITEM, headers={"Idempotency-Key": "k" * 256})
    problem(answer, 400, "invalid-idempotency-key")


async def test_a_request_id_is_taken_or_made(stack: Stack) -> None:
    async with stack.http() as http:
        given = await http.get("/nowhere", headers={"X-Request-ID": "a-request.1:2_3"})
        assert given.headers["x-request-id"] == "a-request.1:2_3"
        for bad in ("with space", "x" * 129, "<script>"):
            made = await http.get("/nowhere", headers={"X-Request-ID": bad})
            assert made.headers["x-request-id"] != bad


async def test_every_answer_carries_the_security_headers(stack: Stack) -> None:
    async with stack.http() as http:
        for path in ("/verify", "/docs", "/openapi.json", "/nowhere", "/health/live"):
            answer = await http.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "server" not in answer.headers


@pytest.mark.parametrize("known", [True, False])
async def test_head_is_answered_as_get_is_without_content(
    stack: Stack, http: httpx.AsyncClient, *, known: bool
) -> None:
    parameters = {"{symbol}": "AAPL" if known else "NOSUCH", "{handle}": "x"}
    async with stack.http() as anybody:
        for endpoint in ENDPOINTS:
            path = endpoint.path
            for name, value in parameters.items():
                path = path.replace(name, value)
            if endpoint.method != "GET" or endpoint.is_stream or "{" in path:
                continue
            for client in (http, anybody):
                get, head = await client.get(path), await client.head(path)
                assert (head.status_code, head.content) == (get.status_code, b""), path
                assert head.headers.keys() == get.headers.keys(), path
                assert head.headers["content-type"] == get.headers["content-type"]
        stream = await http.head("/api/v1/stream")
        assert (stream.status_code, stream.headers["allow"]) == (405, "GET")


async def test_metrics_and_reasons_are_on_the_port_of_operations_alone(stack: Stack) -> None:
    health = next(p["health_url"] for p in stack.urls["processes"] if p["name"] == "gateway")
    async with stack.http() as http:
        for path in ("/metrics", "/%6detrics", "/health/startup", "/health/"):
            problem(await http.get(path), 404, "not-found")
        for path in ("/health/live", "/health/ready"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
            head = await http.head(path)
            assert (head.status_code, head.content) == (200, b"")
        ready = (await http.get(health)).json()
        assert (ready["status"], ready["problems"]) == ("ok", {})


async def status_of(http: httpx.AsyncClient, location: str) -> dict[str, Any]:
    """The final status of a command."""

    async def ended() -> dict[str, Any]:
        answer = await http.get(location)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return {} if body["status"] == "pending" else body

    return await eventually(ended, what="the command's end")


async def test_who_prefers_not_to_wait_follows_the_command(http: httpx.AsyncClient) -> None:
    answer = await http.put(
        "/api/v1/watchlist/SAP.DE", json={"note": "later"}, headers={"Prefer": "respond-async"}
    )
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert int(answer.headers["retry-after"]) >= 1
    location = answer.headers["location"]
    assert answer.json() == {"status": "pending", "handle": location.rpartition("/")[2]}
    status = await status_of(http, location)
    assert (status["status"], status["parked"]) == ("succeeded", False)
    assert status["type"] == "qnt9.command.add_to_watchlist.v1"
    assert status["result"] == {"symbol": "SAP.DE", "note": "later"}


async def test_who_waits_is_answered_with_the_outcome(http: httpx.AsyncClient) -> None:
    answer = await http.put("/api/v1/watchlist/VOD.L", headers={"Prefer": "wait=100"})
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=20"


async def test_a_repetition_has_one_effect_and_the_same_answer(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    request_id, symbol = uuid4().hex, "MSFT"
    headers = {"Idempotency-Key": uuid4().hex, "X-Request-ID": request_id}
    path = f"/api/v1/watchlist/{symbol}"

    async def put(note: str) -> httpx.Response:
        return await http.put(path, json={"note": note}, headers=headers)

    answers = await asyncio.gather(*(put("once") for _ in range(8)))
    answers.append(await put("once"))
    for answer in answers:
        assert (answer.status_code, answer.json()) == (201, {"symbol": "MSFT", "note": "once"})
    problem(await put("twice"), 422, "idempotency-key-reused")
    headers["Prefer"] = "respond-async"
    status = await status_of(http, (await put("twice")).headers["location"])
    assert status["problem"]["code"] == "idempotency-key-reused"
    async with stack.postgres() as conn:
        emitted = await conn.fetch(
            "SELECT payload FROM outbox WHERE headers ->> 'ce_correlationid' = $1", request_id
        )
    about = [json.loads(row["payload"]) for row in emitted]
    assert [each["symbol"] for each in about if "user_id" in each] == [symbol]


async def test_keys_of_two_users_are_two_keys(stack: Stack, http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    other = await stack.verified_user()
    assert (await http.put("/api/v1/watchlist/BMW.DE", headers=key)).status_code == 201
    async with stack.http(headers=other.headers) as others:
        assert (await others.put("/api/v1/watchlist/BMW.DE", headers=key)).status_code == 201


async def test_what_is_older_than_is_remembered_is_gone_unless_it_waits(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    keys = load_or_create(Layout(stack.data)).keys
    kept = timedelta(days=OutcomeSettings().outcomes_kept_days)

    async def status_after(age: timedelta) -> httpx.Response:
        handle = Handle(command_id, AddToWatchlist.type, datetime.now(UTC) - age, None, None)
        signed = handle.sign(decode_key(keys["QNT9_GATEWAY_KEY"]))
        return await http.get(f"/api/v1/commands/{signed}")

    command_id = uuid4()
    assert (await status_after(kept - timedelta(minutes=1))).json()["status"] == "pending"
    problem(await status_after(kept + timedelta(minutes=1)), 410, "command-forgotten")
    async with stack.postgres() as conn:
        await conn.execute(
            """
            INSERT INTO parked_commands (command_id, consumer, type, reason)
            VALUES ($1, 'watchlist', $2, 'a bug')
            """,
            command_id,
            AddToWatchlist.type,
        )
    status = (await status_after(10 * kept)).json()
    assert (status["status"], status["parked"]) == ("pending", True)


async def test_a_handle_is_its_owners_alone(stack: Stack, http: httpx.AsyncClient) -> None:
    answer = await http.delete(ITEM, headers={"Prefer": "respond-async"})
    location = answer.headers["location"]
    assert (await status_of(http, location))["status"] == "succeeded"
    base, _, handle = location.rpartition("/")
    changed = f"{base}/{'B' if handle[0] == 'A' else 'A'}{handle[1:]}"
    for forged in (changed, f"{base}/abc", f"{location}A"):
        problem(await http.get(forged), 404, "not-found")
    other = await stack.verified_user()
    async with stack.http() as anybody:
        problem(await anybody.get(location, headers=other.headers), 404, "not-found")
        problem(await anybody.get(location), 401, "unauthenticated")
