"""What a request answers when its command was not published, was refused, or was another one."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog

from contracts.outcomes import Rejected, SealedOutcome, Succeeded
from gateway.commands.results import CommandResult
from gateway.problems import PROBLEMS, ProblemError
from infra.kafka.producer import BrokerUnavailableError, IndeterminateError, RefusedError

log = structlog.get_logger(__name__)


@contextmanager
def translate_publish_errors(command_id: UUID) -> Iterator[None]:
    """Of a command that the broker has not acknowledged. Raises `ProblemError`."""
    try:
        yield
    except BrokerUnavailableError as error:
        raise ProblemError("broker-unavailable") from error
    except RefusedError as error:
        log.warning("publish_refused", reason=str(error), command_id=str(command_id))
        raise ProblemError("broker-unavailable") from error
    except IndeterminateError as error:
        log.warning("publish_indeterminate", error=str(error), command_id=str(command_id))
        raise ProblemError(
            "indeterminate", "Repeat the request with the same Idempotency-Key."
        ) from error


def settled(command_result: CommandResult, fingerprint: str | None) -> Succeeded:
    """The success. Raises `ProblemError` for a refusal, or for the outcome of another body."""
    if is_of_another_body(command_result, fingerprint):
        raise ProblemError("idempotency-key-reused")
    match command_result.outcome:
        case Rejected(code=code, detail=detail):
            raise ProblemError(code if code in PROBLEMS else "internal-error", detail)
        case SealedOutcome():
            raise ProblemError("try-again")
        case Succeeded() as success:
            return success


def is_of_another_body(command_result: CommandResult, fingerprint: str | None) -> bool:
    """A discarded command has no fingerprint where it was inside of the seal."""
    return (
        None not in {fingerprint, command_result.fingerprint}
        and command_result.fingerprint != fingerprint
    )
