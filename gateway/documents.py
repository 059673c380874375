"""`/openapi.json`, and the same for people at `/docs`: one page, nothing loaded from elsewhere."""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import orjson
from jinja2 import Environment
from markupsafe import Markup, escape

from gateway.endpoints import Answer, Call, Endpoint
from gateway.openapi import as_text, document

_IN_BACKTICKS = re.compile("`([^`]+)`")
_CSP = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"


class Documents:
    """Both documents, made once at the start."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        found = document(endpoints)
        self.openapi = as_text(found).encode()
        self.page = _page(found)


async def openapi(call: Call) -> Answer:
    return Answer(200, call.edge.documents.openapi)


async def docs(call: Call) -> Answer:
    headers = (("Content-Security-Policy", _CSP),)
    return Answer(200, call.edge.documents.page, headers, "text/html; charset=utf-8")


def _page(found: dict[str, Any]) -> bytes:
    template = (files("gateway") / "static" / "docs.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"code": _with_code, "json": _json}
    page = environment.from_string(template).render(
        operations=list(_operations(found)),
        tags=found["tags"],
        problems=found["components"]["examples"],
        schemas=found["components"]["schemas"],
    )
    return page.encode()


def _operations(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    parameters = found["components"]["parameters"]
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            body = _content(operation.get("requestBody", {}))
            yield {
                "id": operation["operationId"],
                "tag": operation["tags"][0],
                "method": method.upper(),
                "path": path,
                "summary": operation["summary"],
                "paragraphs": operation["description"].split("\n\n"),
                "parameters": [parameters.get(_name(p), p) for p in operation["parameters"]],
                "body": _name(body.get("schema", {})),
                "example": _example(body),
                "answers": [_answer(*answer) for answer in operation["responses"].items()],
            }


def _answer(status: str, answer: dict[str, Any]) -> dict[str, Any]:
    content = _content(answer)
    return {
        "status": status,
        "text": answer["description"],
        "model": _name(content.get("schema", {})),
        "example": _example(content),
        "codes": list(content.get("examples", ())),
    }


def _content(part: dict[str, Any]) -> dict[str, Any]:
    """What is sent, of the one media type that there is."""
    return next(iter(part.get("content", {}).values()), {})


def _example(content: dict[str, Any]) -> str:
    return _json(content["example"]) if "example" in content else ""


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _json(value: Any) -> str:
    if isinstance(value, str):
        return value  # a text by itself, a stream's
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _with_code(text: str) -> Markup:
    """Escaped, with `what stands in backticks` as code."""
    return Markup(_IN_BACKTICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/openapi.json", openapi, "This contract as OpenAPI 3.1", {200: None}),
    Endpoint("GET", "/docs", docs, "This contract for people", {200: None}),
)
