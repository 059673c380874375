"""From a slice's routing table to the handler of its consumer: the table is the only dispatcher.

`handlers.py` of a slice ends with `HANDLES`, from the type of a message to the function that
handles it. The reader makes no message of a type that a consumer's topics do not carry, so each
message has its entry; a missing one is a bug and raises `KeyError`, which blames the record.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from contracts.message import Message
from infra.messaging.handler_calls import Handle
from infra.messaging.inbound import InboundMessage

D = TypeVar("D")

Handler = Callable[[D, InboundMessage[Any]], Awaitable[None]]
"""Handles one message with the dependencies of its slice."""
BulkHandler = Callable[[D, Sequence[InboundMessage[Any]]], Awaitable[None]]
"""Handles all messages of a batch that are routed to it, in their order."""
Handlers = Mapping[type[Message], Handler[D]]
BulkHandlers = Mapping[type[Message], BulkHandler[D]]


def dispatch_each(handlers: Handlers[D], deps: D) -> Handle:
    """Return a handler of batches that gives each message to its own handler, one after another."""

    async def handle(batch: Sequence[InboundMessage[Any]]) -> None:
        for received in batch:
            await handlers[type(received.data)](deps, received)

    return handle


def dispatch_in_bulk(handlers: BulkHandlers[D], deps: D) -> Handle:
    """Return a handler of batches that calls each bulk handler once, with all of its messages.

    Several handlers are called in the order of the table, the messages of each in the order of the
    batch. They are several transactions, so a slice with an inbox has one bulk handler for a topic.
    """

    async def handle(batch: Sequence[InboundMessage[Any]]) -> None:
        routed: dict[BulkHandler[D], list[InboundMessage[Any]]] = {
            handler: [] for handler in handlers.values()
        }
        for received in batch:
            routed[handlers[type(received.data)]].append(received)
        for handler, messages in routed.items():
            if messages:
                await handler(deps, messages)

    return handle
