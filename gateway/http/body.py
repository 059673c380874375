"""Reading a request's body: bounded, JSON, valid, or a problem that says which."""

import json
from codecs import BOM_UTF8
from typing import Any
from urllib.parse import parse_qs

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect

from gateway.http.header_fields import is_json, is_plain
from gateway.http.request import GatewayRequest
from gateway.problems import ProblemError

DEEPEST = 16


async def read_json(request: GatewayRequest, most: int, *, empty: Any = None) -> Any:
    """The JSON of a body, `empty` for an empty one. Raises `ProblemError`."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > most:
        raise ProblemError("body-too-large", f"At most {most} bytes.")
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > most:
                raise ProblemError("body-too-large", f"At most {most} bytes.")
    except ClientDisconnect as error:
        raise ProblemError("malformed-request", "The body ended early.") from error
    if not chunks:
        return empty
    if not is_json(request.headers.get("content-type", "")):
        raise ProblemError("unsupported-media-type")
    if not is_plain(request.headers.get("content-encoding", "")):
        raise ProblemError("unsupported-media-type", "The body must have no Content-Encoding.")
    return parsed(bytes(chunks))


def parsed(text: bytes) -> Any:
    """JSON that every reader reads alike (RFC 8259). Raises `ProblemError`.

    A byte order mark before it is passed over, as section 8.1 allows.
    """
    text = text.removeprefix(BOM_UTF8)
    try:
        found = orjson.loads(text)
        if text.count(b"{") + text.count(b"[") > DEEPEST and _is_deep(found):
            raise ProblemError("malformed-request", f"At most {DEEPEST} levels of nesting.")
        _NAMES.decode(text.decode())
    except (ValueError, RecursionError) as error:
        raise ProblemError("malformed-request", "The body is not valid JSON.") from error
    return found


def _is_deep(found: Any) -> bool:
    level = [found]
    for _ in range(DEEPEST):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
    return any(isinstance(each, dict | list) for each in level)


def _once_each(pairs: list[tuple[str, Any]]) -> None:
    """The first and the last of two alike are both somebody's reading: neither is ours."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise ProblemError("malformed-request", "The body contains a name twice.")


_NAMES = json.JSONDecoder(object_pairs_hook=_once_each)


def validated(kind: type[BaseModel], data: Any) -> BaseModel:
    """The body as its model. Raises `ProblemError` with every field at fault."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise invalid_fields(error) from None


def read_query(query: str) -> dict[str, str | list[str]]:
    """By name; a list where a name comes more than once."""
    found = parse_qs(query, keep_blank_values=True)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _message(fault: ErrorDetails) -> str:
    """In the words of the contract, not of a library or of our source."""
    if fault["type"] == "model_type":
        return "The body should be a JSON object"
    return fault["msg"].removeprefix("Value error, ")


def invalid_fields(error: ValidationError) -> ProblemError:
    """What is wrong with which field, without the values."""
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return ProblemError(
        "invalid-fields",
        errors=[
            {"field": ".".join(map(str, fault["loc"])), "message": _message(fault)}
            for fault in faults
        ],
    )
