"""Which endpoint answers a request: exact paths from a table, the others by their pattern."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.routing import Route, compile_path

from gateway.http.endpoints import Endpoint
from gateway.http.problems import ProblemError

Methods = dict[str, Endpoint]
_READING = ("GET", "HEAD")
_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
_HELD = b"%00"
"""Stands for an encoded slash while paths are compared: no value of a path has a NUL in it."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A path with parameters; `prefix` is what comes before the first of them."""

    prefix: str
    matches: re.Pattern[str]
    path: str
    methods: Methods


class Dispatch:
    """The declared endpoints, and the plain routes of operations: health and metrics."""

    def __init__(self, endpoints: Iterable[Endpoint], operations: Iterable[Route]) -> None:
        self._operations = {operation.path: operation for operation in operations}
        by_path: dict[str, Methods] = {}
        for endpoint in endpoints:
            by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        self._exact = {path: methods for path, methods in by_path.items() if "{" not in path}
        self._patterns = [
            _Pattern(path.partition("{")[0], compile_path(path)[0], path, methods)
            for path, methods in by_path.items()
            if "{" in path
        ]

    def operation(self, method: str, path: str) -> Route | None:
        """The route of this very path, if it is one of operations. Raises `ProblemError`."""
        route = self._operations.get(path)
        if route and method not in _READING:
            raise ProblemError("method-not-allowed", headers={"Allow": ", ".join(_READING)})
        return route

    def path_of(self, path: str, raw: bytes = b"") -> tuple[str, Methods, dict[str, Any]]:
        """The declared path, its methods, the values of its parameters. Raises `ProblemError`.

        `path` is decoded, `raw` is not: an encoded slash parts no segments (RFC 3986, 2.2).
        """
        if _ENCODED_SLASH.search(raw):
            held = unquote_to_bytes(_ENCODED_SLASH.sub(_HELD, raw)).decode()
            slash = unquote_to_bytes(_HELD).decode()
            declared, found, values = self.path_of(held)
            return declared, found, {name: v.replace(slash, "/") for name, v in values.items()}
        if methods := self._exact.get(path):
            return path, methods, {}
        for pattern in self._patterns:
            if path.startswith(pattern.prefix) and (match := pattern.matches.match(path)):
                return pattern.path, pattern.methods, match.groupdict()
        raise ProblemError("not-found")


def endpoint_for(method: str, methods: Methods) -> Endpoint:
    """HEAD is answered as GET is, but for its content.

    Raises `ProblemError` that names the methods there are.
    """
    if endpoint := methods.get(method):
        return endpoint
    if method == "HEAD" and (endpoint := methods.get("GET")) and not endpoint.is_stream:
        return endpoint
    raise ProblemError("method-not-allowed", headers={"Allow": ", ".join(allowed(methods))})


def allowed(methods: Methods) -> list[str]:
    """The methods that a path takes."""
    get = methods.get("GET")
    return sorted([*methods, "HEAD"] if get and not get.is_stream else methods)
