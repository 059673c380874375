"""The HTTP contract on the running system: errors, preferences, repetitions, handles."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from gateway.routes import ENDPOINTS
from tests.support.e2e.http_contract import ITEM, problem
from tests.support.stack import PASSWORD, Stack, User

JSON = {"Content-Type": "application/json"}


SIGN_IN = "/api/v1/auth/signin"


@pytest.mark.parametrize("path", [ITEM, "/api/v1/watchlist", "/api/v1/users/me"])
async def test_without_a_token_no_one_is_let_in(stack: Stack, path: str) -> None:
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


async def test_a_wrong_method_is_answered_with_the_right_ones(http: httpx.AsyncClient) -> None:
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
    of_both = {"X-Request-ID": "the-same", "traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}
    async with stack.http(headers=of_both) as http:
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
