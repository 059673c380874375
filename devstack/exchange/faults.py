"""What can be made to go wrong, and the script that says when.

A `DeliveryFault` spoils the whole answer, a `ContentFault` what it says of one symbol.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

EVERYTHING = "*"

Endpoint = Literal["chart", "spark", "search"]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
HttpStatus = Annotated[int, Field(ge=200, le=599)] | Literal[999]


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    times: Annotated[int, Field(ge=1)] | None = None
    endpoint: Endpoint | None = None

    def once_less(self) -> Self | None:
        if self.times is None:
            return self
        return self.model_copy(update={"times": self.times - 1}) if self.times > 1 else None


class Status(_Fault):
    kind: Literal["status"]
    status: HttpStatus = 500
    retry_after: int | str | None = None


class RateLimited(_Fault):
    """Plain text, as a proxy answers; `retry_after` goes out as given: seconds or a date."""

    kind: Literal["rate_limited"]
    status: HttpStatus = 429
    retry_after: int | str | None = None


class SlowHeaders(_Fault):
    kind: Literal["slow_headers"]
    seconds: Seconds = 10


class SlowBody(_Fault):
    """The headers and half the body at once, the rest after so many seconds."""

    kind: Literal["slow_body"]
    seconds: Seconds = 10


class Reset(_Fault):
    kind: Literal["reset"]


class Truncated(_Fault):
    """Half of the JSON, as a complete answer."""

    kind: Literal["truncated"]


class Html(_Fault):
    kind: Literal["html"]
    status: HttpStatus = 200


class RedirectConsent(_Fault):
    kind: Literal["redirect_consent"]
    value: str = "https://consent.example.com/v2/collectConsent?sessionId=sandbox"


class NullHoles(_Fault):
    kind: Literal["null_holes"]


class NoTimestamp(_Fault):
    kind: Literal["no_timestamp"]


class NullCurrency(_Fault):
    kind: Literal["null_currency"]


class OtherCurrency(_Fault):
    kind: Literal["currency"]
    value: str


class OtherSymbol(_Fault):
    kind: Literal["other_symbol"]
    value: str = "ZZZZ"


class Price(_Fault):
    """Any price: 0, negative, null, "NaN" or "Infinity" (as bare words), or other text."""

    kind: Literal["price"]
    value: float | str | None


class Split(_Fault):
    """So many new shares for so many old: the price falls, and a chart reports it when asked."""

    kind: Literal["split"]
    numerator: Annotated[int, Field(ge=1)]
    denominator: Annotated[int, Field(ge=1)] = 1


DeliveryFault = (
    Status | RateLimited | SlowHeaders | SlowBody | Reset | Truncated | Html | RedirectConsent
)
ContentFault = NullHoles | NoTimestamp | NullCurrency | OtherCurrency | OtherSymbol | Price | Split
Fault = Annotated[DeliveryFault | ContentFault, Field(discriminator="kind")]

FAULTS: TypeAdapter[list[DeliveryFault | ContentFault]] = TypeAdapter(list[Fault])


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong with one request."""

    delivery: DeliveryFault | None
    content: dict[str, ContentFault]

    @property
    def kinds(self) -> list[str]:
        delivery = [self.delivery.kind] if self.delivery else []
        return [*delivery, *sorted({fault.kind for fault in self.content.values()})]


class FaultScript:
    """For each symbol, and for everything, faults that happen one after the other."""

    def __init__(self) -> None:
        self._pending: dict[str, deque[DeliveryFault | ContentFault]] = {}

    def put(self, target: str, faults: Iterable[DeliveryFault | ContentFault]) -> None:
        self._pending[target.upper()] = deque(faults)

    def clear(self, target: str | None = None) -> None:
        if target is None:
            self._pending.clear()
        else:
            self._pending.pop(target.upper(), None)

    def take(self, endpoint: Endpoint, symbols: Iterable[str]) -> Trouble:
        """The faults of this request, each counted once; a symbol's own goes before the general."""
        general = self._next(EVERYTHING, endpoint)
        delivery = None if isinstance(general, ContentFault) else general
        content: dict[str, ContentFault] = {}
        for symbol in dict.fromkeys(symbols):
            fault = self._next(symbol, endpoint) or general
            if isinstance(fault, ContentFault):
                content[symbol] = fault
            elif fault is not None:
                delivery = fault
        return Trouble(delivery, content)

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        return {
            target: [fault.model_dump(exclude_none=True) for fault in faults]
            for target, faults in self._pending.items()
        }

    def _next(self, target: str, endpoint: Endpoint) -> DeliveryFault | ContentFault | None:
        faults = self._pending.get(target)
        if not faults or faults[0].endpoint not in (None, endpoint):
            return None
        fault = faults.popleft()
        if (remaining := fault.once_less()) is not None:
            faults.appendleft(remaining)
        elif not faults:
            del self._pending[target]
        return fault
