"""Which route answers, and what is answered where none does."""

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.app import Application
from gateway.http.call import Call
from gateway.http.endpoints import Answer, Endpoint
from gateway.http.request import GatewayRequest
from tests.support.gateway.deps import deps_of

PAGE = "https://app.example.com"


async def show(call: Call, _: object) -> Answer:
    return Answer(200, {"item": call.request.path_params.get("name", "all")})


async def alive(_: Request) -> Response:
    return PlainTextResponse("alive")


ENDPOINTS = (
    Endpoint("GET", "/api/v1/items/{name}", show, "One", {200: None}),
    Endpoint("PUT", "/api/v1/items/{name}", show, "Another", {200: None}),
    Endpoint("GET", "/api/v1/items", show, "All", {200: None}),
)


async def answer_to(
    method: str, path: str, headers: dict[str, str] | None = None, *, draining: bool = False
) -> httpx.Response:
    shutdown = SimpleNamespace(draining=asyncio.Event())
    if draining:
        shutdown.draining.set()
    settings = SimpleNamespace(
        cors_origins=(PAGE,), environment="production", gateway_key=bytes(32)
    )
    app = Application(
        deps_of(shutdown=shutdown, settings=settings), ENDPOINTS, [Route("/health/live", alive)]
    )
    transport: Any = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.request(method, path, headers=headers)


@pytest.mark.parametrize(
    ("path", "item"),
    [("/api/v1/items", "all"), ("/api/v1/items/a", "a"), ("/api/v1/items/a%20b", "a b")],
)
async def test_declared_path_is_answered_with_its_parameters(path: str, item: str) -> None:
    answer = await answer_to("GET", path)
    assert (answer.status_code, answer.json()) == (200, {"item": item})


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/items/", "/api/v1/items/a/", "/api/v1/items/a/b", "/api/v1/itemsx"]
)
async def test_undeclared_path_is_a_problem_and_no_redirect(path: str) -> None:
    answer = await answer_to("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/items/a", "GET, HEAD, PUT"),
        ("/api/v1/items", "GET, HEAD"),
        ("/health/live", "GET, HEAD"),
    ],
)
async def test_wrong_method_is_answered_with_all_methods_of_the_path(
    path: str, methods: str
) -> None:
    answer = await answer_to("DELETE", path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert answer.headers["allow"] == methods


@pytest.mark.parametrize("path", ["/api/v1/items", "/api/v1/nowhere"])
async def test_draining_gateway_refuses_every_path_and_closes(path: str) -> None:
    answer = await answer_to("GET", path, draining=True)
    assert (answer.status_code, answer.json()["code"]) == (503, "draining")
    assert answer.headers["connection"] == "close"
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("draining", [True, False])
async def test_health_check_is_answered_also_while_draining(*, draining: bool) -> None:
    answer = await answer_to("GET", "/health/live", draining=draining)
    assert (answer.status_code, answer.text) == (200, "alive")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_preflight_of_a_named_origin_lists_the_methods_of_the_path() -> None:
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "PUT"}
    answer = await answer_to("OPTIONS", "/api/v1/items/a", asks)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, PUT"
    assert answer.headers["access-control-allow-origin"] == PAGE


async def test_preflight_of_another_origin_is_a_wrong_method() -> None:
    asks = {"Origin": "https://example.com", "Access-Control-Request-Method": "PUT"}
    answer = await answer_to("OPTIONS", "/api/v1/items/a", asks)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


def a_request(*lines: tuple[bytes, bytes]) -> GatewayRequest:
    scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": list(lines)}
    return GatewayRequest(scope, None)  # type: ignore[arg-type]  # nobody reads a body


def test_field_lines_of_one_name_are_joined_in_order() -> None:
    request = a_request((b"forwarded", b"for=a"), (b"accept", b"x"), (b"forwarded", b"for=b"))
    headers = request.headers
    assert headers["Forwarded"] == headers.get("forwarded") == "for=a,for=b"
    assert headers.get("prefer") is None
    assert "Accept" in headers
    assert request.repeated_singleton is None


def test_repeated_singleton_is_named() -> None:
    request = a_request((b"authorization", b"Bearer a"), (b"authorization", b"Bearer b"))
    assert request.repeated_singleton == "authorization"
