"""What was sealed into a command, validated."""

from typing import TypeVar

from contracts.envelope import Envelope
from contracts.sealed_contents import SealedContent
from infra.messaging.inbound import PoisonError, RefusedInputError
from infra.security.seals import OpeningKeys, SealError, binding

C = TypeVar("C", bound=SealedContent)


def open_seal(keys: OpeningKeys, sealed: str, *, of: Envelope, purpose: str, holds: type[C]) -> C:
    """What was sealed for one purpose.

    Raises `PoisonError` for a seal that cannot be opened, and `RefusedInputError` for content that
    an older gateway let pass and the contract refuses. Their texts say nothing of the content.
    """
    try:
        content = keys.open(sealed, binding(of.id, purpose, of.time.isoformat()))
    except (SealError, ValueError):
        raise PoisonError("the seal cannot be opened") from None
    try:
        return holds.model_validate(content)
    except ValueError:
        raise RefusedInputError("the content of the seal is not valid") from None
