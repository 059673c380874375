"""One call of a handler: again at once when two transactions met, and what its errors mean."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from infra.messaging.call_result import DOWN
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
    for tries in range(1, TRIES_OF_A_CONFLICT + 1):
        touch()
        try:
            await handle(received)
        except TRANSIENT as error:
            if tries == TRIES_OF_A_CONFLICT:
                raise RetryableError("transactions keep meeting") from error
        except ConcurrentDeliveryError as error:
            raise RetryableError("another consumer has these messages too") from error
        except BaseExceptionGroup as group:
            if group.subgroup(DOWN):
                raise RetryableError("a dependency is down") from group
            raise
        else:
            return
