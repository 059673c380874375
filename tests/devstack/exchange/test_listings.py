import pytest

from devstack.exchange.listings import Listing, load_listings

LISTINGS = load_listings()


def symbols(query: str, count: int = 10) -> list[str]:
    return [listing.symbol for listing, _ in LISTINGS.search(query, count)]


@pytest.mark.parametrize("listing", [x for x in LISTINGS if x.isin], ids=lambda x: x.symbol)
def test_every_isin_has_its_check_digit(listing: Listing) -> None:
    assert listing.isin is not None
    assert len(listing.isin) == 12
    digits = "".join(str(int(character, 36)) for character in listing.isin)
    doubled = [int(d) * (2 if n % 2 else 1) for n, d in enumerate(reversed(digits))]
    assert sum(n // 10 + n % 10 for n in doubled) % 10 == 0


def test_the_familiar_ones_are_listed_in_the_currency_they_trade_in() -> None:
    expected = {
        "AAPL": "USD", "MSFT": "USD", "GOOGL": "USD", "SAP.DE": "EUR", "VOD.L": "GBp",
        "VUSA.L": "GBP", "MTN.JO": "ZAc", "TEVA.TA": "ILA",
    }  # fmt: skip
    assert expected == {s: x.currency for s in expected if (x := LISTINGS.find(s))}


def test_ten_thousand_less_one_are_made_up_for_load() -> None:
    assert LISTINGS.find("X0001.DE") == LISTINGS.find("x0001.de")
    assert LISTINGS.find("X9999.DE")
    assert LISTINGS.find("X0000.DE") is None
    assert LISTINGS.find("X00001.DE") is None


def test_search_finds_by_symbol_name_and_isin_the_best_first() -> None:
    assert symbols("SAP")[:2] == ["SAP", "SAP.DE"]
    assert set(symbols("apple")) == {"AAPL", "APC.DE"}
    assert set(symbols("US0378331005")) == {"AAPL", "APC.DE"}
    assert symbols("x0042") == ["X0042.DE"]
    assert symbols("nothing like it") == []
    assert symbols("%$!") == []
