"""Middleware: logs, admits or refuses a request, and may corrupt its response."""

import asyncio
import dataclasses
from dataclasses import dataclass, field
from typing import Final, assert_never

from prometheus_client import Counter
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from devstack.exchange import responses
from devstack.exchange.bucket import Bucket
from devstack.exchange.clock import Clock
from devstack.exchange.delivery import deliver, reset
from devstack.exchange.faults import (
    DeliveryFault,
    FaultScript,
    Html,
    RateLimited,
    RedirectConsent,
    Reset,
    SlowBody,
    SlowHeaders,
    Status,
    Trouble,
    Truncated,
)
from devstack.exchange.listings import Listings
from devstack.exchange.request_log import Entry, RequestLog
from devstack.exchange.responses import Answer
from devstack.exchange.yahoo import Question

REQUESTS: Final = Counter(
    "qnt9_exchange_requests", "Requests by endpoint and status", ["endpoint", "status"]
)
_UNWANTED_AGENT: Final = "python"
_UNTROUBLED: Final = Trouble(None, {})


@dataclass
class Exchange:
    """All that the exchange is: what it lists, and the faults that tests have set."""

    listings: Listings
    clock: Clock = field(default_factory=Clock)
    faults: FaultScript = field(default_factory=FaultScript)
    bucket: Bucket = field(default_factory=Bucket)
    request_log: RequestLog = field(default_factory=RequestLog)


class Middleware:
    """An endpoint as ASGI application; the control API does not pass through it."""

    def __init__(self, exchange: Exchange, question: Question) -> None:
        self._exchange = exchange
        self._question = question

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        endpoint = self._question.endpoint
        agent = request.headers.get("user-agent", "")
        symbols = self._question.symbols(request)
        entry = self._exchange.request_log.begin(
            endpoint, request.url.path, request.url.query, symbols, agent
        )
        try:
            await self._respond(request, entry, receive, send)
        finally:
            self._exchange.request_log.end(entry)
            REQUESTS.labels(endpoint, entry.status or "none").inc()

    async def _respond(self, request: Request, entry: Entry, receive: Receive, send: Send) -> None:
        trouble = _UNTROUBLED
        answer = self._refusal(entry.user_agent)
        if answer is None:
            trouble = self._exchange.faults.take(entry.endpoint, entry.symbols)
            entry.faults = trouble.kinds
            answer = self._question.answer(request, trouble.content)
        match trouble.delivery:
            case Reset():
                await reset(request.scope, receive)
                return
            case SlowHeaders(seconds=seconds):
                await asyncio.sleep(seconds)
            case _:
                pass
        answer = _replaced(answer, trouble.delivery, entry)
        pause = trouble.delivery.seconds if isinstance(trouble.delivery, SlowBody) else 0
        entry.status = answer.status
        await deliver(answer, send, pause_in_body=pause)

    def _refusal(self, agent: str) -> Answer | None:
        if not agent or agent.casefold().startswith(_UNWANTED_AGENT):
            return responses.throttled()
        if not self._exchange.bucket.admits():
            return responses.throttled(retry_after=self._exchange.bucket.retry_after())
        return None


def _replaced(answer: Answer, fault: DeliveryFault | None, entry: Entry) -> Answer:
    match fault:
        case None | SlowHeaders() | SlowBody() | Reset():
            return answer
        case Status(status=status, retry_after=retry_after):
            family = "finance" if entry.endpoint == "search" else entry.endpoint
            return responses.scripted(family, status, retry_after)
        case RateLimited(status=status, retry_after=retry_after):
            return responses.throttled(status, retry_after)
        case Truncated():
            return dataclasses.replace(answer, body=answer.body[: len(answer.body) // 2])
        case Html(status=status):
            return responses.html(status)
        case RedirectConsent(value=location):
            return responses.redirect(location)
    assert_never(fault)
