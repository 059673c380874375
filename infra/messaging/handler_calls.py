"""One call of a handler: again at once when two transactions met, and what its errors mean."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts.message import Message
from infra.messaging.batch_items import DOWN
from infra.messaging.inbound import InboundMessage, RetryableError
from infra.messaging.transaction import ConcurrentDeliveryError
from infra.postgres.pool import TRANSIENT

Handle = Callable[[Sequence[InboundMessage[Any]]], Awaitable[None]]

TRIES_OF_A_CONFLICT = 5


async def call(
    handle: Handle, received: Sequence[InboundMessage[Any]], touch: Callable[[], None]
) -> None:
    """Return when the handler has.

    Raises what the handler raises, and `RetryableError` for what blames no message.
    """
    for left in reversed(range(TRIES_OF_A_CONFLICT)):
        touch()
        try:
            await handle(received)
        except ConcurrentDeliveryError as error:
            raise RetryableError("another consumer has these messages too") from error
        except TRANSIENT as error:
            if not left:
                raise RetryableError("transactions keep meeting") from error
        except BaseExceptionGroup as group:
            if group.subgroup(DOWN):
                raise RetryableError("a dependency is down") from group
            raise
        else:
            return


def one_at_a_time(
    handles: dict[type[Message], Callable[[InboundMessage[Any]], Awaitable[None]]],
) -> Handle:
    """The handler of a slice whose messages are handled one by one."""

    async def handle(batch: Sequence[InboundMessage[Any]]) -> None:
        for received in batch:
            await handles[type(received.data)](received)

    return handle
