"""Units and digits of prices, as providers write them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.quotes import Quote
from tests.support.message_builders import NOW
from tests.support.workers.quote_builders import a_chart
from workers.quotes.chart import read_chart
from workers.quotes.currencies import PARTS, WHOLE
from workers.quotes.provider import Found, NoPrice
from workers.quotes.values import MAX_LOSS, rounded


def quote_of(**meta: object) -> Quote:
    answer = read_chart(a_chart(**meta), "AAPL", source="sandbox", now=NOW)
    assert isinstance(answer, Found)
    return answer.quote


@pytest.mark.parametrize(
    ("price", "hint", "displayed"),
    [
        ("164.97999572753906", 2, "164.98"),
        ("164.97999572753906", None, "164.97999572753906"),
        ("164.98000000000002", 2, "164.98"),
        ("0.000012345000162", 2, "0.000012345"),
        ("0.0456", 2, "0.0456"),
        ("1.0845986", 4, "1.0846"),
        ("5.235000133514404", 2, "5.235"),
        ("252.4", 2, "252.4"),
        ("3450", 0, "3450"),
        ("63123.4453125", 2, "63123.45"),
        ("101.25", None, "101.25"),
    ],
)
def test_price_is_rounded_by_its_hint_and_keeps_its_significant_digits(
    price: str, hint: int | None, displayed: str
) -> None:
    assert str(rounded(Decimal(price), hint)) == displayed


@given(
    st.decimals("0.00000001", "1000000", places=12),
    st.one_of(st.none(), st.integers(0, 12)),
)
def test_rounding_never_changes_a_price_by_much(price: Decimal, hint: int | None) -> None:
    found = rounded(price, hint)
    assert abs(found - price) <= price * MAX_LOSS


@pytest.mark.parametrize(
    ("unit", "price", "displayed", "currency"),
    [
        ("USX", 274.24, "2.7424", "USD"),
        ("GBp", 7250.0, "72.50", "GBP"),
        ("ZAC", 1234.5, "12.345", "ZAR"),
        ("KWF", 812.0, "0.812", "KWD"),
        ("USD", 274.24, "274.24", "USD"),
    ],
)
def test_price_in_a_part_of_a_currency_is_reported_in_the_whole(
    unit: str, price: float, displayed: str, currency: str
) -> None:
    quote = quote_of(currency=unit, regularMarketPrice=price, priceHint=2)
    assert (Decimal(quote.price), quote.currency, quote.quoted_unit) == (
        Decimal(displayed),
        currency,
        unit,
    )


@pytest.mark.parametrize("unit", ["EUX", "usd", "XXX", "ABC", "GBP ", "", None, 7])
def test_price_in_a_unit_that_no_one_knows_is_no_quote(unit: object) -> None:
    answer = read_chart(a_chart(currency=unit), "AAPL", source="sandbox", now=NOW)
    assert isinstance(answer, NoPrice)


def test_parts_are_of_whole_currencies_and_are_none() -> None:
    assert {whole for whole, _ in PARTS.values()} <= WHOLE
    assert not WHOLE & PARTS.keys()
    assert all(len(code) == 3 for code in WHOLE)
