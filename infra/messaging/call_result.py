"""What one call of a handler came to, as a closed type, and the errors that blame no message."""

from collections.abc import Awaitable
from dataclasses import dataclass

from redis.exceptions import RedisError

from infra.messaging.inbound import PoisonError, RetryableError
from infra.messaging.restored_database import AwaitedError
from infra.postgres.pool import UNAVAILABLE

DOWN = (*UNAVAILABLE, RetryableError, RedisError)
"""Errors that blame no message: something that the handler needs is away."""


@dataclass(frozen=True, slots=True)
class Handled:
    """The handler returned, or refused the only message of the call, which is settled."""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """One of the messages has to wait until something else is handled again."""

    error: AwaitedError


@dataclass(frozen=True, slots=True)
class Poisoned:
    """One of the messages can never be handled."""

    error: PoisonError


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler failed; whether a message or the handler is at fault is not known."""

    error: Exception

    @property
    def reason(self) -> str:
        """What a dead letter says about it, without the text of the error."""
        return f"{type(self.error).__name__} in a handler"


CallResult = Handled | Awaiting | Poisoned | Failed


async def result_of(call: Awaitable[None]) -> CallResult:
    """Await a call of a handler. Raises `DOWN` errors other than `AwaitedError`, and nothing else.

    What is no `Exception`, such as a cancellation, passes through.
    """
    try:
        await call
    except AwaitedError as error:
        return Awaiting(error)
    except DOWN:
        raise
    except PoisonError as error:
        return Poisoned(error)
    except Exception as error:  # noqa: BLE001  # a handler's bug must not stop the partition
        return Failed(error)
    return Handled()
