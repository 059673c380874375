"""Bodies that are no JSON, or JSON that two readers could read differently."""

from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Message

from gateway.http.body import DEEPEST, parsed, read_json
from gateway.http.request import GatewayRequest
from gateway.problems import ProblemError


def a_request(
    *chunks: bytes, content_type: str = "application/json", **fields: bytes
) -> GatewayRequest:
    left: Sequence[bytes] = list(chunks)

    async def receive() -> Message:
        nonlocal left
        chunk, *left = left
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    headers = [(b"content-type", content_type.encode())]
    headers += [(name.replace("_", "-").encode(), value) for name, value in fields.items()]
    return GatewayRequest({"type": "http", "method": "POST", "headers": headers}, receive)


def nested(levels: int) -> bytes:
    return (
        b'{"a":' * (levels // 2)
        + b"[" * (levels - levels // 2)
        + b"]" * (levels - levels // 2)
        + b"}" * (levels // 2)
    )


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "c": 2, "b": 3}}',
        b'[{"a": 1}, {"a": 1, "\\u0061": 2}]',
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'"\xff"',
        b'"\xc0\xaf"',
        b'"\\ud800"',
        b'"a\nb"',
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"{}\xef\xbb\xbf",
        b"{}{}",
        nested(DEEPEST + 1),
        nested(5_000),
        b"[" * 60_000,
    ],
)
def test_what_is_read_in_two_ways_is_not_read(text: bytes) -> None:
    with pytest.raises(ProblemError) as error:
        parsed(text)
    assert error.value.code == "malformed-request"


@pytest.mark.parametrize(
    "text", [b"{}", b'{"a": "{[{[{[{[{[{[{[{[{["}', nested(DEEPEST), b"[" + b"{}," * 99 + b"{}]"]
)
def test_other_json_is_read(text: bytes) -> None:
    assert parsed(text) is not None


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'],
)
async def test_json_is_utf_8(content_type: str) -> None:
    assert await read_json(a_request(b'{"a"', b":1}", content_type=content_type), 100) == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "application/x-www-form-urlencoded",
    ],
)
async def test_anything_else_is_not_taken(content_type: str) -> None:
    await refused(a_request(b"{}", content_type=content_type), "unsupported-media-type")


async def test_a_body_is_bounded_whatever_it_declares() -> None:
    await refused(a_request(b"[", b" " * 100, b"]"), "body-too-large")
    await refused(a_request(b"[]", content_length=b"101"), "body-too-large")


async def refused(request: GatewayRequest, code: str) -> None:
    with pytest.raises(ProblemError) as error:
        await read_json(request, 100)
    assert error.value.code == code


async def test_no_body_is_nothing() -> None:
    nothing: Any = await read_json(a_request(b"", content_type=""), 100)
    assert nothing is None


def test_byte_order_mark_before_json_is_passed_over() -> None:
    assert parsed(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
