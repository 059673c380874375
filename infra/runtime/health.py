"""The three health paths and the metrics of a process.

live: restart me when this fails. ready: send me work. startup: I have begun.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Problem = Callable[[], str | None]


@dataclass
class Health:
    """What a process says of itself. Each check gives a problem in words, or None."""

    started: bool = False
    alive: dict[str, Problem] = field(default_factory=dict)
    ready: dict[str, Problem] = field(default_factory=dict)
    details: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """Reported with readiness, which it does not affect: the state of what is outside."""
    partial: set[str] = field(default_factory=set)
    """Checks of `ready` that leave a part of the work going: their problems are reported to
    operators, but not to load balancers, which would shut out that part as well."""
    degraded: dict[str, Problem] = field(default_factory=dict)
    """Reported with readiness: problems that slow the work of the process without stopping it."""

    def public_routes(self) -> list[Route]:
        """Return the routes for load balancers, on a public port: whether, and not why."""

        async def live(_: Request) -> Response:
            return _answer_briefly(self.alive)

        async def ready(_: Request) -> Response:
            ready = {name: c for name, c in self.ready.items() if name not in self.partial}
            return _answer_briefly({"process": self._starting, **ready})

        return [Route("/health/live", live), Route("/health/ready", ready)]

    def routes(self) -> list[Route]:
        """Return the routes for operators, on a port of their own."""
        return [
            Route("/health/live", self._live),
            Route("/health/ready", self._ready),
            Route("/health/startup", self._startup),
            Route("/metrics", _metrics),
        ]

    async def _live(self, _: Request) -> Response:
        return _answer(self.alive)

    async def _ready(self, _: Request) -> Response:
        details = {name: report() for name, report in self.details.items()}
        if degraded := _problems(self.degraded):
            details["degraded"] = degraded
        return _answer({"process": self._starting, **self.ready}, details)

    async def _startup(self, _: Request) -> Response:
        return _answer({"process": self._starting})

    def _starting(self) -> str | None:
        return None if self.started else "starting"


def _answer(checks: dict[str, Problem], details: dict[str, Any] | None = None) -> Response:
    problems = _problems(checks)
    body: dict[str, Any] = {
        "status": "unavailable" if problems else _status(details),
        "problems": problems,
    }
    if details:
        body["details"] = details
    return JSONResponse(
        body, status_code=503 if problems else 200, headers={"Cache-Control": "no-store"}
    )


def _answer_briefly(checks: dict[str, Problem]) -> Response:
    failed = any(check() for check in checks.values())
    body = {"status": "unavailable" if failed else "ok"}
    return JSONResponse(
        body, status_code=503 if failed else 200, headers={"Cache-Control": "no-store"}
    )


def _problems(checks: dict[str, Problem]) -> dict[str, str]:
    return {name: problem for name, check in checks.items() if (problem := check())}


def _status(details: dict[str, Any] | None) -> str:
    return "degraded" if details and "degraded" in details else "ok"


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
