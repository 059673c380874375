"""The OpenAPI 3.1 document, made from the endpoints' declarations."""

import re
from collections import defaultdict
from collections.abc import Iterable
from importlib import import_module
from inspect import getdoc
from typing import Any

import orjson
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from gateway.http.endpoints import AccessLevel, Endpoint, Link
from gateway.http.page_origin import CSRF_HEADER
from gateway.openapi.examples import EXAMPLES, PATHS, STREAM, problem_examples
from gateway.openapi.header_fields import HEADERS, PARAMETERS, parameter
from gateway.problems import PROBLEM_JSON, PROBLEMS
from gateway.v1.models import Accepted

TITLE = "QNT9"
VERSION = "1"
_COMPONENT = "#/components/schemas/{model}"

RELEASED_IDS = {"jwks_jwks": "wellknown_jwks"}
"""Operations whose handler has moved keep the id that generated clients know."""

_OF_EVERY_ROUTE = ("precondition-failed", "draining", "internal-error")
_OF_BODIES = (
    "malformed-request",
    "body-too-large",
    "unsupported-media-type",
    "invalid-fields",
)
_OF_COMMANDS = ("broker-unavailable", "indeterminate")
_OF_REPEATABLE = ("invalid-idempotency-key", "idempotency-key-reused", "discarded")

_OUTCOME = Link("commands_show", {"handle": "$response.body#/handle"})
_STREAMS = "text/event-stream"


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(json_schema_extra={"enum": [*sorted(PROBLEMS)]})
    request_id: str
    trace_id: str | None = None
    errors: list[dict[str, str]] | None = None


def problem_codes(endpoint: Endpoint) -> tuple[str, ...]:
    """Every problem that a route can answer with."""
    codes = list(endpoint.problems)
    if endpoint.access is not AccessLevel.ANYONE:
        codes += ["unauthenticated", "reads-unavailable"]
    if endpoint.access is AccessLevel.VERIFIED:
        codes.append("email-not-verified")
    if endpoint.access is AccessLevel.ADMIN:
        codes.append("forbidden")
    if endpoint.for_pages:
        codes.append("untrusted-origin")
    if endpoint.body:
        codes += _OF_BODIES
    if endpoint.query:
        codes.append("invalid-fields")
    if endpoint.command:
        codes += _OF_COMMANDS
    if endpoint.repeatable:
        codes += _OF_REPEATABLE
    if endpoint.limits:
        codes.append("rate-limited")
    return tuple(dict.fromkeys([*codes, *_OF_EVERY_ROUTE]))


def document(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    """The whole document."""
    displayed = [
        endpoint for endpoint in endpoints if endpoint.path.startswith(("/api/", "/.well"))
    ]
    bodies = {(e.body, "validation") for e in displayed if e.body}
    answers = {(m, "serialization") for e in displayed for m in e.answers.values() if m}
    models = sorted(bodies | answers | {(ProblemDetails, "serialization")}, key=_model_name)
    refs, definitions = models_json_schema(models, ref_template=_COMPONENT)  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for endpoint in displayed:
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
        "tags": _tags(displayed),
        "paths": dict(paths),
        "components": {
            "schemas": definitions.get("$defs", {}),
            "parameters": {name: parameter(name, text) for name, text in PARAMETERS.items()},
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in HEADERS.items()
            },
            "examples": problem_examples(code for e in displayed for code in problem_codes(e)),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "ticket": {"type": "apiKey", "in": "query", "name": "ticket"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Secure-qnt9_refresh"},
            },
        },
    }


def _tags(displayed: Iterable[Endpoint]) -> list[dict[str, str]]:
    """One a module, which says in its first line what it is about."""
    modules = {_tag(endpoint): endpoint.handler.__module__ for endpoint in displayed}
    return [
        {"name": name, "description": (import_module(module).__doc__ or "").partition("\n")[0]}
        for name, module in sorted(modules.items())
    ]


def _tag(endpoint: Endpoint) -> str:
    return endpoint.handler.__module__.rpartition(".")[2]


def _operation_id(endpoint: Endpoint) -> str:
    name = f"{_tag(endpoint)}_{endpoint.handler.__name__}"
    return RELEASED_IDS.get(name, name)


def _operation(endpoint: Endpoint, refs: Any) -> dict[str, Any]:
    more = getdoc(endpoint.handler)
    who = f"Who may call: {endpoint.access.value}."
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "tags": [_tag(endpoint)],
        "summary": endpoint.summary,
        "description": f"{more}\n\n{who}" if more else who,
        "parameters": _parameters(endpoint),
        "responses": _limited(endpoint, _answers(endpoint, refs) | _problems(endpoint, refs)),
        "security": _security(endpoint),
    }
    if endpoint.body:
        operation["requestBody"] = {
            "required": not endpoint.body_optional,
            "content": _json(endpoint.body, refs[endpoint.body, "validation"]),
        }
    return operation


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    if endpoint.access is AccessLevel.ANYONE:
        return [{"cookie": []}] if endpoint.by_cookie else []
    return [{"bearer": []}, {"ticket": []}] if endpoint.by_ticket else [{"bearer": []}]


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            **({"example": PATHS[name]} if name in PATHS else {}),
        }
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    names = ["X-Request-ID"]
    if endpoint.for_pages:
        names.insert(0, CSRF_HEADER)
    if _may_wait(endpoint):
        names.insert(0, "Prefer")
    if endpoint.repeatable:
        names.insert(0, "Idempotency-Key")
    if endpoint.media_type == _STREAMS:
        names.insert(0, "Last-Event-ID")
    in_query = _in_query(endpoint.query) if endpoint.query else []
    return [*in_path, *in_query, *({"$ref": f"#/components/parameters/{name}"} for name in names)]


def _in_query(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    required, known = schema.get("required", ()), schema.get("$defs", {})
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _given(part, known)}
        for name, part in schema["properties"].items()
    ]


def _given(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out is never null where it is given."""
    kinds = [kind for kind in part.get("anyOf", ()) if kind.get("type") != "null"]
    remaining = {
        name: value for name, value in part.items() if name != "anyOf" and value is not None
    }
    [kind] = kinds or [{}]
    definition = definitions.get(kind.get("$ref", "").rpartition("/")[2])
    return {**(definition or kind), **remaining}


def _answers(endpoint: Endpoint, refs: Any) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, model in endpoint.answers.items():
        names = ["X-Request-ID", *(["Set-Cookie"] if endpoint.for_pages else [])]
        if _may_wait(endpoint):
            names += ["Preference-Applied"]
            names += ["Location", "Retry-After"] if status == 202 else []
        answers[str(status)] = {
            "description": (model.__doc__ if model else "") or "Done.",
            "headers": _headers(*names),
            **({"content": _json(model, refs[model, "serialization"])} if model else {}),
        }
        if endpoint.media_type == _STREAMS:
            text = {"schema": {"type": "string"}, "example": STREAM}
            answers[str(status)] |= {"description": "As it comes.", "content": {_STREAMS: text}}
        if links := (_OUTCOME,) if "Location" in names else endpoint.links:
            answers[str(status)]["links"] = {
                link.operation: {"operationId": link.operation, "parameters": link.parameters}
                for link in links
            }
    return answers


def _problems(endpoint: Endpoint, refs: Any) -> dict[str, Any]:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in problem_codes(endpoint):
        by_status[PROBLEMS[code].status].append(code)
    return {
        str(status): {
            "description": " · ".join(f"`{code}`" for code in codes),
            "headers": _headers("X-Request-ID", *_of_problems(codes)),
            "content": {
                PROBLEM_JSON: {
                    "schema": refs[ProblemDetails, "serialization"],
                    "examples": {c: {"$ref": f"#/components/examples/{c}"} for c in codes},
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _of_problems(codes: list[str]) -> list[str]:
    names = ["Retry-After"] if any(PROBLEMS[code].retry_after for code in codes) else []
    return [*names, "WWW-Authenticate"] if "unauthenticated" in codes else names


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _json(model: type[BaseModel], schema: Any) -> dict[str, Any]:
    example = {"example": EXAMPLES[model]} if model in EXAMPLES else {}
    return {"application/json": {"schema": schema, **example}}


def _may_wait(endpoint: Endpoint) -> bool:
    """Whether the answer is the outcome, or 202 when that takes longer than the client waits."""
    return endpoint.command and endpoint.answers.get(202, Accepted) is not Accepted


def _limited(endpoint: Endpoint, responses: dict[str, Any]) -> dict[str, Any]:
    """Every answer of a limited route tells how much is left."""
    if endpoint.limits:
        for response in responses.values():
            response["headers"] |= _headers("RateLimit-Policy", "RateLimit")
    return responses


def _model_name(item: tuple[type[BaseModel], str]) -> str:
    return item[0].__name__


def as_text(found: dict[str, Any]) -> str:
    """As it is committed: indented, ending with a newline."""
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
