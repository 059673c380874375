"""The service with the system's duties: the leanest one, plus outbox, audit chain and events.

Item, audit row, link of the chain and event are one statement; a task of the same process publishes
the events to Kafka. It is what a team would otherwise write.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import orjson
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.plain import equal_store as store
from bench.plain import lean
from bench.plain.equal_relay import Relay
from bench.plain.lean_parts import Refused, answer, caller_of, client_of, parts_of
from bench.plain.lean_store import Item
from bench.plain.limits import caller as counted
from bench.plain.settings import PlainSettings
from contracts.ids import uuid7
from contracts.values import UserId
from gateway.problems import ProblemError
from gateway.rate_limit.policies import WRITE
from infra.kafka.producer import Producer
from infra.runtime.settings import KafkaSettings

EVENT = "qnt9.watchlist.item_added.v1"


def event_of(user_id: UserId, symbol: str, note: str | None) -> store.Event:
    """A CloudEvent in Kafka's binary mode, as the system's are."""
    event_id = uuid7()
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_source": "urn:bench:equal",
        "ce_type": EVENT,
        "ce_time": datetime.now(UTC).isoformat(),
        "ce_subject": str(user_id),
        "content-type": "application/json",
    }
    payload = orjson.dumps({"user_id": str(user_id), "symbol": symbol, "note": note})
    return store.Event(event_id, payload.decode(), orjson.dumps(headers).decode())


async def put_item(request: Request) -> Response:
    parts = parts_of(request)
    caller, symbol = caller_of(request, parts), lean.symbol_of(request)
    note = lean.note_of(await request.body())
    taken = await parts.limits.take(WRITE, counted(request, caller))
    if not await parts.symbols.exists(symbol):
        raise Refused(404, "unknown-symbol")
    details = orjson.dumps({"symbol": symbol, "note": note})
    item = Item(caller.user_id, symbol, note, details.decode())
    event = event_of(caller.user_id, symbol, note)
    created = await store.save_item(parts.pool, item, event, client_of(request))
    if created is None:
        raise Refused(409, "watchlist-full")
    relay: Relay = request.app.state.relay
    relay.wake()
    return answer(201 if created else 200, details, taken)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    settings = PlainSettings.load()
    kafka = KafkaSettings(
        kafka_protocol="SASL_PLAINTEXT",
        kafka_bootstrap=settings.kafka_bootstrap,
        kafka_username="operator",
        kafka_password=SecretStr(settings.kafka_password),
    )
    async with lean.lifespan(app), Producer(kafka, client_id="bench-equal") as producer:
        app.state.relay = Relay(app.state.parts.pool, producer)
        relaying = asyncio.create_task(app.state.relay.run())
        try:
            yield
        finally:
            relaying.cancel()
            with suppress(asyncio.CancelledError):
                await relaying


app = Starlette(
    routes=[
        Route("/api/v1/watchlist/{symbol}", put_item, methods=["PUT"]),
        *(route for route in lean.app.routes if route is not lean.app.routes[0]),
    ],
    exception_handlers={
        Refused: lean.refused,
        ProblemError: lean.limited,
        ValueError: lean.invalid,
    },
    lifespan=lifespan,
)
