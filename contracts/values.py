"""The values that commands and events are made of, each with its own rules."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from contracts import text

UserId = UUID
MessageId = UUID
SessionId = UUID


def _of_text(canonical: Callable[[str], str]) -> BeforeValidator:
    """Runs first, so that what is stored is what the other rules are for."""
    return BeforeValidator(lambda value: canonical(value) if isinstance(value, str) else value)


def canonical_symbol(value: str) -> str:
    """In capitals. Beyond ASCII nothing is folded: a long s is no s."""
    value = value.strip()
    return value.upper() if value.isascii() else value


# What can be asked of a provider in a path and in a list: not what we believe that it lists.
SYMBOL_PATTERN = r"^[A-Z0-9^$&@_][A-Z0-9.\-=^&_+$@!*:]{0,31}$"
Symbol = Annotated[str, StringConstraints(pattern=SYMBOL_PATTERN), _of_text(canonical_symbol)]

_SYMBOL = re.compile(SYMBOL_PATTERN.removesuffix("$"))


def is_symbol(value: str) -> bool:
    """Whether a text is a symbol as it stands."""
    return _SYMBOL.fullmatch(value) is not None


# Text from people (docs/text.md): never markup, and as long as what is stored.
Note = Annotated[
    str,
    StringConstraints(max_length=280),
    _of_text(text.canonical_lines),
    AfterValidator(text.without_markup),
]
DisplayName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=80),
    _of_text(text.canonical_line),
    AfterValidator(text.without_markup),
    AfterValidator(text.with_something_to_see),
]
SearchText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    _of_text(text.canonical_words),
    AfterValidator(text.without_markup),
    AfterValidator(text.with_something_to_see),
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
MAX_ORDERED_SYMBOLS = 1_000


def _each_once(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Raises `ValueError` when a symbol is named twice."""
    if len(set(symbols)) != len(symbols):
        raise ValueError("each symbol once")
    return symbols


WatchlistOrder = Annotated[
    tuple[Symbol, ...],
    Field(min_length=1, max_length=MAX_ORDERED_SYMBOLS),
    AfterValidator(_each_once),
]
