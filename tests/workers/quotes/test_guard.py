"""A price jump without a split is held back and reported to operators."""

from decimal import Decimal

from structlog.testing import capture_logs

from contracts.events import QuoteHeldBack, QuoteServedStale, QuoteUpdated
from contracts.outcomes import Succeeded
from contracts.quotes import Quote
from tests.support.workers.quote_results import quote_in, staleness
from tests.support.workers.quotes_slice import QuotesSlice
from workers.quotes.handlers import HELD_BACK

POUNDS = {"kind": "currency", "value": "GBP"}


def held_back() -> float:
    return float(HELD_BACK.labels("sandbox")._value.get())


async def test_pence_that_turn_into_pounds_overnight_are_held_back_and_reported(
    deps: QuotesSlice,
) -> None:
    good = quote_in((await deps.ask("VOD.L"))[0])
    assert (good["currency"], good["quoted_unit"]) == ("GBP", "GBp")
    await deps.make_stale("VOD.L")
    await deps.exchange.fault("VOD.L", POUNDS)
    before = held_back()
    with capture_logs() as logs:
        (outcome,) = await deps.ask("VOD.L")
    assert staleness(outcome) == (True, "upstream_error")
    assert quote_in(outcome)["price"] == good["price"]
    (row,) = await deps.rows()
    assert row["quote"]["price"] == good["price"]
    updated, stale, held = await deps.events()
    assert isinstance(updated, QuoteUpdated)
    assert isinstance(stale, QuoteServedStale)
    assert isinstance(held, QuoteHeldBack)
    assert (held.quoted_unit, held.last_quoted_unit) == ("GBP", "GBp")
    assert Decimal(held.price) / Decimal(held.last_price) > 50
    assert held_back() == before + 1
    assert [entry["symbol"] for entry in logs if entry["event"] == "quote_held_back"] == ["VOD.L"]


async def test_it_is_asked_for_again_after_a_minute_and_reported_once(deps: QuotesSlice) -> None:
    await deps.ask("VOD.L")
    await deps.exchange.fault("VOD.L", POUNDS)
    for _ in range(3):
        await deps.make_stale("VOD.L")
        await deps.ask("VOD.L")
    assert await deps.calls("VOD.L") == 3, "a quote, the pounds, the splits"
    assert len([e for e in await deps.events() if isinstance(e, QuoteHeldBack)]) == 1


async def test_pounds_that_are_right_again_are_shown(deps: QuotesSlice) -> None:
    await deps.ask("VOD.L")
    await deps.exchange.fault("VOD.L", POUNDS | {"times": 1})
    await deps.make_stale("VOD.L")
    await deps.ask("VOD.L")
    deps.parts.without_price._done.clear()
    await deps.make_stale("VOD.L")
    assert staleness((await deps.ask("VOD.L"))[0]) == (False, None)


async def test_a_split_is_believed(deps: QuotesSlice) -> None:
    before = quote_in((await deps.ask("AAPL"))[0])
    await deps.make_stale("AAPL")
    await deps.exchange.fault("AAPL", {"kind": "split", "numerator": 60})
    (outcome,) = await deps.ask("AAPL")
    assert isinstance(outcome, Succeeded)
    after = Quote.model_validate(quote_in(outcome))
    assert not after.stale
    assert Decimal(after.price) * 50 < Decimal(before["price"])


async def test_a_jump_in_a_call_for_several_concerns_no_other(deps: QuotesSlice) -> None:
    await deps.ask("VOD.L", "AAPL")
    for symbol in ("VOD.L", "AAPL"):
        await deps.make_stale(symbol)
    await deps.exchange.fault("VOD.L", POUNDS)
    vodafone, apple = await deps.ask("VOD.L", "AAPL")
    assert staleness(vodafone) == (True, "upstream_error")
    assert staleness(apple) == (False, None)
