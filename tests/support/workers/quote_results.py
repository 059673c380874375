"""What handlers of quotes have left behind."""

from typing import Any

from contracts.outcomes import Outcome, Succeeded
from tests.support.waiting import until
from tests.support.workers.quotes_slice import QuotesSlice


def quote_in(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Succeeded)
    assert outcome.result
    quote: dict[str, Any] = outcome.result["quote"]
    return quote


async def until_asked(deps: QuotesSlice, symbol: str, times: int = 1) -> None:
    """The exchange has been asked so often."""

    async def asked() -> bool:
        return await deps.calls(symbol) >= times

    await until(asked)


def staleness(outcome: Outcome) -> tuple[bool, str | None]:
    quote = quote_in(outcome)
    return quote["stale"], quote["stale_reason"]
