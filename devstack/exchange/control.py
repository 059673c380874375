"""How tests tell the exchange what to do, and read what was asked of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devstack.exchange.bucket import BucketPolicy
from devstack.exchange.faults import FAULTS
from devstack.exchange.middleware import Exchange

_Seconds = Annotated[float, Field(ge=946_684_800, lt=4_102_444_800)]  # the years 2000 to 2099


class _Now(BaseModel):
    model_config = ConfigDict(extra="forbid")

    now: _Seconds | AwareDatetime

    @property
    def seconds(self) -> float:
        return self.now.timestamp() if isinstance(self.now, datetime) else self.now


def control_routes(exchange: Exchange) -> Sequence[Route]:
    control = _Control(exchange)
    prefix = "/_control"
    return (
        Route(f"{prefix}/faults", control.faults, methods=["GET"]),
        Route(f"{prefix}/faults", control.clear_faults, methods=["DELETE"]),
        Route(f"{prefix}/faults/{{target}}", control.put_faults, methods=["PUT"]),
        Route(f"{prefix}/faults/{{target}}", control.clear_faults, methods=["DELETE"]),
        Route(f"{prefix}/log", control.log, methods=["GET"]),
        Route(f"{prefix}/log", control.clear_log, methods=["DELETE"]),
        Route(f"{prefix}/clock", control.clock, methods=["GET"]),
        Route(f"{prefix}/clock", control.set_clock, methods=["PUT"]),
        Route(f"{prefix}/clock", control.reset_clock, methods=["DELETE"]),
        Route(f"{prefix}/bucket", control.bucket, methods=["GET"]),
        Route(f"{prefix}/bucket", control.set_bucket, methods=["PUT"]),
        Route(f"{prefix}/bucket", control.reset_bucket, methods=["DELETE"]),
    )


def invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    errors = [
        {"field": ".".join(map(str, fault["loc"])), "message": fault["msg"]}
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    problem = {"type": "about:blank", "title": "Unprocessable Content", "status": 422}
    return JSONResponse({**problem, "errors": errors}, 422, media_type="application/problem+json")


class _Control:
    """Coroutines throughout: the state is touched by the event loop's thread alone."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def faults(self, _: Request) -> Response:
        return JSONResponse(self._exchange.faults.as_json())

    async def put_faults(self, request: Request) -> Response:
        """One fault, or a list of them that happen one after the other."""
        body = (await request.body()).strip()
        script = body if body.startswith(b"[") else b"[%s]" % body
        self._exchange.faults.put(request.path_params["target"], FAULTS.validate_json(script))
        return JSONResponse(self._exchange.faults.as_json())

    async def clear_faults(self, request: Request) -> Response:
        self._exchange.faults.clear(request.path_params.get("target"))
        return _done()

    async def log(self, _: Request) -> Response:
        return JSONResponse(self._exchange.request_log.as_json())

    async def clear_log(self, _: Request) -> Response:
        self._exchange.request_log.clear()
        return _done()

    async def clock(self, _: Request) -> Response:
        return JSONResponse(self._clock())

    async def set_clock(self, request: Request) -> Response:
        self._exchange.clock.set(_Now.model_validate_json(await request.body()).seconds)
        return JSONResponse(self._clock())

    async def reset_clock(self, _: Request) -> Response:
        self._exchange.clock.reset()
        return _done()

    async def bucket(self, _: Request) -> Response:
        return JSONResponse(self._bucket())

    async def set_bucket(self, request: Request) -> Response:
        self._exchange.bucket.set(BucketPolicy.model_validate_json(await request.body()))
        return JSONResponse(self._bucket())

    async def reset_bucket(self, _: Request) -> Response:
        self._exchange.bucket.set(None)
        return _done()

    def _clock(self) -> dict[str, Any]:
        return {"now": self._exchange.clock.now(), "set": self._exchange.clock.is_set}

    def _bucket(self) -> dict[str, Any]:
        bucket = self._exchange.bucket
        policy = bucket.policy.model_dump() if bucket.policy else None
        return {"policy": policy, "blocked_seconds": bucket.blocked_seconds}


def _done() -> Response:
    return Response(status_code=204)
