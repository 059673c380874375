"""The port of a provider of quotes: what it is asked, what it may answer, how it may fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Protocol

from contracts.history import HistoryKey, PriceHistory
from contracts.quotes import Quote, StaleReason
from infra.resilience.policies import (
    CircuitOpenError,
    OutOfTimeError,
    RateLimitedError,
    TransientError,
)
from workers.quotes.rules import Hit, Hours


@dataclass(frozen=True, slots=True)
class Found:
    """A price, and the trading hours it was judged by."""

    quote: Quote
    hours: Hours | None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The provider does not know the symbol."""


@dataclass(frozen=True, slots=True)
class NoPrice:
    """The provider works and knows the symbol, but what it says of it is no price."""

    why: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Asked among others, and not in the answer: what it is shows when it is asked for alone."""


@dataclass(frozen=True, slots=True)
class FoundHistory:
    """A history, and the trading hours by which it is kept."""

    history: PriceHistory
    hours: Hours | None


Answer = Found | NotFound | NoPrice | LeftOut
HistoryAnswer = FoundHistory | NotFound | NoPrice | LeftOut


class UnavailableError(TransientError):
    """No answer, or one that says it is broken."""


class TimedOutError(UnavailableError):
    """No answer in time."""


class MalformedError(TransientError):
    """An answer that is not what the protocol says."""

    attempts: ClassVar[int | None] = 2


class Provider(Protocol):
    """Raises `UnavailableError`, `MalformedError`, `RateLimitedError`; knows nothing of retries."""

    @property
    def name(self) -> str:
        """What quotes and events call their source."""
        ...

    @property
    def most(self) -> int:
        """How many symbols one call takes."""
        ...

    @property
    def most_sparklines(self) -> int:
        """How many sparklines one call takes."""
        ...

    async def quotes(self, symbols: Sequence[str]) -> dict[str, Answer]:
        """One call; an answer for each symbol. One symbol alone is never `LeftOut`."""
        ...

    async def histories(self, keys: Sequence[HistoryKey]) -> dict[str, HistoryAnswer]:
        """One call; an answer for each symbol. One symbol alone is never `LeftOut`.

        Several keys are sparklines of one range.
        """
        ...

    async def splits(self, symbol: str) -> Sequence[Decimal]:
        """How many new shares each old one became, of each split of late."""
        ...


class Searcher(Protocol):
    """A provider that can be asked for a name. Raises as a `Provider` does."""

    async def search(self, text: str) -> Sequence[Hit]:
        """Return what is found for a text, the likeliest first. Raises `ProviderError`s."""


TROUBLE = (TransientError, RateLimitedError, OutOfTimeError, CircuitOpenError)


def reason_of(trouble: Exception) -> StaleReason:
    """The outcome for a client."""
    match trouble:
        case CircuitOpenError(limited=False):
            return "circuit_open"
        case CircuitOpenError() | RateLimitedError():
            return "rate_limited"
        case OutOfTimeError() | TimedOutError():
            return "timeout"
    return "upstream_error"
