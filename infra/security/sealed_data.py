"""What was sealed into a command, validated."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from contracts.envelope import Envelope
from infra.messaging.inbound import PoisonError
from infra.security.seals import OpeningKeys, SealError, binding


class SealedContent(BaseModel):
    """What a seal holds. `fingerprint`: the HMAC of the body, where a key made it repeatable."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    fingerprint: str | None = None


C = TypeVar("C", bound=SealedContent)


def open_seal(keys: OpeningKeys, sealed: str, *, of: Envelope, purpose: str, holds: type[C]) -> C:
    """Raises `PoisonError`, whose text says nothing of the content."""
    try:
        content = keys.open(sealed, binding(of.id, purpose, of.time.isoformat()))
    except (SealError, ValueError):
        raise PoisonError("the seal cannot be opened") from None
    try:
        return holds.model_validate(content)
    except ValueError:
        raise PoisonError("the content of the seal is not valid") from None
