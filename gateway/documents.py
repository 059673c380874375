"""`/openapi.json`, and the same for people at `/docs`: one page, nothing loaded from elsewhere."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from gateway.endpoints import Answer, Call, Endpoint
from gateway.openapi import as_text, document

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
    operations = list(_operations(found))
    page = environment.from_string(template).render(
        operations=operations,
        tags=list(dict.fromkeys(operation["tag"] for operation in operations)),
        schemas=found["components"]["schemas"],
    )
    return page.encode()


def _operations(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield {
                "id": operation["operationId"],
                "tag": operation["tags"][0],
                "method": method.upper(),
                "path": path,
                "summary": operation["summary"],
                "signed_in": bool(operation["security"]),
                "parameters": operation["parameters"],
                "body": _name(body.get("schema", {})),
                "answers": [
                    {
                        "status": status,
                        "text": answer["description"],
                        "model": _name(
                            answer.get("content", {}).get("application/json", {}).get("schema", {})
                        ),
                    }
                    for status, answer in operation["responses"].items()
                ],
            }


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/openapi.json", openapi, "This contract as OpenAPI 3.1", {200: None}),
    Endpoint("GET", "/docs", docs, "This contract for people", {200: None}),
)
