"""The values that commands and events are made of, each with its own rules."""

import unicodedata
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

UserId = UUID
MessageId = UUID
SessionId = UUID

# Yahoo's alphabet of tickers: letters, digits and . - ^ = after folding to capitals.
Symbol = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z0-9^][A-Z0-9.\-=^]{0,19}$"),
    # Runs first; in this order the pattern is in the JSON Schema.
    BeforeValidator(lambda value: value.strip().upper() if isinstance(value, str) else value),
]

_SYMBOL: TypeAdapter[str] = TypeAdapter(Symbol)


def is_symbol(text: str) -> bool:
    """Whether a text can be one."""
    try:
        return _SYMBOL.validate_python(text) == text
    except ValidationError:
        return False


def _plain_text(value: str) -> str:
    if value.isascii() and value.isprintable() and "<" not in value:
        return value.strip()
    text = unicodedata.normalize("NFC", value)
    text = "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    if "<" in text and ">" in text[text.index("<") :]:
        raise ValueError("must not contain markup")
    return text.strip()


def _not_blank(value: str) -> str:
    if not value:
        raise ValueError("must not be blank")
    return value


# Text from people: NFC, without control and formatting characters, never markup.
PlainText = Annotated[str, AfterValidator(_plain_text)]
Note = Annotated[str, StringConstraints(max_length=280), AfterValidator(_plain_text)]
DisplayName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=80),
    AfterValidator(_plain_text),
    AfterValidator(_not_blank),
]
SearchText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    AfterValidator(_plain_text),
    AfterValidator(lambda value: " ".join(value.split())),
    AfterValidator(_not_blank),
]


class Tier(StrEnum):
    """What a user pays for; limits hang on it."""

    FREE = "free"
    PLUS = "plus"
    PRO = "pro"


class Permission(StrEnum):
    """What a user may do beyond what everybody may. A closed set."""

    ADMIN = "admin"


WATCHLIST_LIMITS = {Tier.FREE: 50, Tier.PLUS: 200, Tier.PRO: 1_000}
