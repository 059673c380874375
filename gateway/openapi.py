"""The OpenAPI 3.1 document, made from the endpoints' declarations.

`python -m gateway.openapi` prints it.
"""

import re
import sys
from collections import defaultdict
from typing import Any

import orjson
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from gateway.endpoints import Endpoint, Who
from gateway.problems import PROBLEM_JSON, PROBLEMS

TITLE = "QNT9"
VERSION = "1"
_COMPONENT = "#/components/schemas/{model}"

_OF_EVERY_ROUTE = ("draining", "internal-error")
_OF_BODIES = (
    "malformed-request",
    "body-too-large",
    "unsupported-media-type",
    "invalid-fields",
)
_OF_COMMANDS = (
    "broker-unavailable",
    "indeterminate",
    "invalid-idempotency-key",
    "idempotency-key-reused",
)


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(json_schema_extra={"enum": [*sorted(PROBLEMS)]})
    request_id: str
    errors: list[dict[str, str]] | None = None


def problem_codes(endpoint: Endpoint) -> tuple[str, ...]:
    """Every problem that a route can answer with."""
    codes = list(endpoint.problems)
    if endpoint.who is not Who.ANYONE:
        codes += ["unauthenticated", "reads-unavailable"]
    if endpoint.who is Who.VERIFIED:
        codes.append("email-not-verified")
    if endpoint.body:
        codes += _OF_BODIES
    if endpoint.command:
        codes += _OF_COMMANDS
    return tuple(dict.fromkeys([*codes, *_OF_EVERY_ROUTE]))


def document(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    """The whole document."""
    shown = [endpoint for endpoint in endpoints if endpoint.path.startswith(("/api/", "/.well"))]
    bodies = {(e.body, "validation") for e in shown if e.body}
    answers = {(m, "serialization") for e in shown for m in e.answers.values() if m}
    models = sorted(bodies | answers | {(ProblemDetails, "serialization")}, key=_model_name)
    refs, definitions = models_json_schema(models, ref_template=_COMPONENT)  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for endpoint in shown:
        paths[endpoint.path][endpoint.method.lower()] = _operation(endpoint, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": VERSION,
            "description": "Every write is a command on Kafka; see the README.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(paths),
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _operation(endpoint: Endpoint, refs: Any) -> dict[str, Any]:
    name = endpoint.handler.__name__
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.handler.__module__.rpartition('.')[2]}_{name}",
        "tags": [endpoint.handler.__module__.rpartition(".")[2]],
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": _answers(endpoint, refs) | _problems(endpoint, refs),
        "security": [] if endpoint.who is Who.ANYONE else [{"bearer": []}],
    }
    if endpoint.body:
        operation["requestBody"] = {
            "required": not endpoint.body_optional,
            "content": {"application/json": {"schema": refs[endpoint.body, "validation"]}},
        }
    return operation


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    if endpoint.command:
        found.append(_header("Idempotency-Key", "The same key and body: one effect, one outcome."))
        if 202 in endpoint.answers and len(endpoint.answers) > 1:
            found.append(_header("Prefer", "`respond-async`, or `wait=N` seconds (RFC 7240)."))
    found.append(_header("X-Request-ID", "Echoed, and kept to the last event."))
    return found


def _header(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def _answers(endpoint: Endpoint, refs: Any) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, model in endpoint.answers.items():
        answer: dict[str, Any] = {"description": (model.__doc__ if model else "") or "Done."}
        if model:
            schema = refs[model, "serialization"]
            answer["content"] = {"application/json": {"schema": schema}}
        if status == 202 and len(endpoint.answers) > 1:
            answer["headers"] = {
                name: {"schema": {"type": "string"}} for name in ("Location", "Retry-After")
            }
        answers[str(status)] = answer
    return answers


def _problems(endpoint: Endpoint, refs: Any) -> dict[str, Any]:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in problem_codes(endpoint):
        by_status[PROBLEMS[code].status].append(code)
    content = {PROBLEM_JSON: {"schema": refs[ProblemDetails, "serialization"]}}
    return {
        str(status): {"description": " · ".join(f"`{c}`" for c in codes), "content": content}
        for status, codes in sorted(by_status.items())
    }


def _model_name(item: tuple[type[BaseModel], str]) -> str:
    return item[0].__name__


def as_text(found: dict[str, Any]) -> str:
    """As it is committed: indented, ending with a newline."""
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


if __name__ == "__main__":
    from gateway.routes import ENDPOINTS

    sys.stdout.write(as_text(document(ENDPOINTS)))
