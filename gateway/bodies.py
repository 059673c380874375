"""Reading a request's body: bounded, JSON, valid, or a problem that says which."""

from typing import Any

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.incoming import CutOffError, Incoming
from gateway.problems import ProblemError


async def read_json(request: Incoming, most: int) -> Any:
    """The JSON of a body; None for an empty one. Raises `ProblemError`."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > most:
        raise ProblemError("body-too-large", f"At most {most} bytes.")
    chunks = bytearray()
    try:
        async for chunk in request.chunks():
            chunks += chunk
            if len(chunks) > most:
                raise ProblemError("body-too-large", f"At most {most} bytes.")
    except CutOffError as error:
        raise ProblemError("malformed-request", "The body ended early.") from error
    if not chunks:
        return None
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ProblemError("unsupported-media-type")
    try:
        return orjson.loads(chunks)
    except orjson.JSONDecodeError as error:
        raise ProblemError("malformed-request", "The body is not valid JSON.") from error


def validated(kind: type[BaseModel], data: Any) -> BaseModel:
    """The body as its model. Raises `ProblemError` with every field at fault."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise invalid_fields(error) from None


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
