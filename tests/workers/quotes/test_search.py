"""Searches, between a real cache server, a real database and the sandbox exchange."""

from datetime import timedelta

from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.securities import Candidate, Found, search_key
from tests.support.workers.quote_builders import a_quote
from tests.support.workers.quotes_slice import QuotesSlice

BROKEN = {"kind": "status", "status": 500}


def found_in(outcome: Outcome) -> Found:
    assert isinstance(outcome, Succeeded)
    return Found.model_validate(outcome.result)


async def test_an_isin_finds_its_listing(deps: QuotesSlice) -> None:
    found = found_in(await deps.search("DE0007164600"))
    assert found == Found(
        query="DE0007164600",
        kind="isin",
        candidates=[
            Candidate(
                symbol="SAP.DE",
                name="SAP SE",
                exchange="XETRA",
                currency="EUR",
                type="equity",
                isin="DE0007164600",
                match="isin",
            )
        ],
    )


async def test_a_german_wkn_finds_its_listing_under_its_isin(deps: QuotesSlice) -> None:
    found = found_in(await deps.search("716460"))
    (candidate,) = found.candidates
    assert (found.kind, candidate.symbol, candidate.match) == ("wkn", "SAP.DE", "wkn")
    assert candidate.isin == "DE0007164600"


async def test_a_foreign_shares_wkn_becomes_no_isin(deps: QuotesSlice) -> None:
    (apple,) = found_in(await deps.search("865985")).candidates
    assert (apple.symbol, apple.match, apple.isin) == ("AAPL", "wkn", None)
    assert found_in(await deps.search("870748")).candidates == []


async def test_a_name_has_several_candidates_each_with_exchange_currency_and_type(
    deps: QuotesSlice,
) -> None:
    found = found_in(await deps.search("alphabet"))
    assert [each.symbol for each in found.candidates] == ["GOOG", "GOOGL"]
    for each in found.candidates:
        assert (each.exchange, each.currency, each.type) == ("NASDAQ", "USD", "equity")
        assert each.isin is None
    counters = (await deps.exchange.log())["counters"]
    assert counters["endpoints"] == {"search": 1, "spark": 1}


async def test_currencies_of_quotes_that_we_have_are_not_asked_for(deps: QuotesSlice) -> None:
    await deps.have(a_quote("GOOG"))
    await deps.have(a_quote("GOOGL"))
    found = found_in(await deps.search("alphabet"))
    assert [each.currency for each in found.candidates] == ["USD", "USD"]
    assert (await deps.exchange.log())["counters"]["endpoints"] == {"search": 1}


async def test_pence_are_called_pence(deps: QuotesSlice) -> None:
    found = found_in(await deps.search("VOD.L"))
    assert (found.candidates[0].symbol, found.candidates[0].currency) == ("VOD.L", "GBp")


async def test_a_search_is_kept_for_minutes_and_an_isin_for_a_month(deps: QuotesSlice) -> None:
    for text in ("alphabet", "ALPHABET", "DE0007164600", "nothing like it"):
        await deps.search(text)
    asked = (await deps.exchange.log())["counters"]["endpoints"]["search"]
    assert asked == 3
    for text, kept in (
        ("ALPHABET", timedelta(minutes=10)),
        ("DE0007164600", timedelta(days=30)),
        ("NOTHING LIKE IT", timedelta(minutes=10)),
    ):
        ttl = await deps.redis.ttl(search_key(text))
        assert 0.89 * kept.total_seconds() < ttl <= 1.1 * kept.total_seconds()


async def test_without_the_provider_what_we_have_quotes_of_is_found(deps: QuotesSlice) -> None:
    await deps.have(a_quote("SAP.DE", name="SAP SE", quoted_unit="EUR"))
    await deps.have(a_quote("AAPL", name="Apple Inc."))
    await deps.exchange.fault("*", BROKEN)
    for text in ("sap", "SAP.DE", "sap se"):
        found = found_in(await deps.search(text))
        assert [each.symbol for each in found.candidates] == ["SAP.DE"]
        assert not found.complete
        assert found.candidates[0].currency == "EUR"
    assert await deps.redis.get(search_key("SAP")) is None
    assert await deps.search("nobody has this") == Rejected("search-unavailable")


async def test_a_currency_that_no_one_reports_is_null(deps: QuotesSlice) -> None:
    await deps.exchange.fault("*", BROKEN | {"endpoint": "spark"})
    found = found_in(await deps.search("alphabet"))
    assert [each.currency for each in found.candidates] == [None, None]


async def test_with_everything_away_no_one_can_search(deps: QuotesSlice) -> None:
    await deps.exchange.fault("*", {"kind": "rate_limited"})
    await deps.parts.pool.close()
    assert await deps.search("sap") == Rejected("search-unavailable")
