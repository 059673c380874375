"""What is listed: some familiar shares from `listings.json`, and X0001.DE to X9999.DE for load."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from devstack.exchange.markets import MARKETS, Market

_GENERATED = re.compile(r"X(?!0000)\d{4}\.DE")
_WORD = re.compile(r"\w+")
_UNLISTED: Final = ("Robert Bosch GmbH", "Cargill, Incorporated", "Lidl Stiftung & Co. KG")


@dataclass(frozen=True, slots=True)
class PastSplit:
    """A split of long ago. As on a real exchange's charts, older prices are adjusted for it."""

    day: date
    numerator: int
    denominator: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    symbol: str
    name: str
    market: Market
    currency: str
    price: float
    isin: str | None = None
    wkn: str | None = None
    kind: str = "EQUITY"
    split: PastSplit | None = None
    words: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", frozenset(_WORD.findall(self.name.casefold())))


class Listings:
    def __init__(self, listings: Iterable[Listing]) -> None:
        self._by_symbol = {listing.symbol: listing for listing in listings}

    def find(self, symbol: str) -> Listing | None:
        symbol = symbol.upper()
        if _GENERATED.fullmatch(symbol):
            return generated(int(symbol[1:5]))
        return self._by_symbol.get(symbol)

    def search(self, query: str, count: int) -> list[tuple[Listing, float]]:
        """The best first: whole symbol, ISIN or WKN, start of a symbol, words of a name."""
        scored = [(listing, _score(listing, query)) for listing in self._candidates(query)]
        found = [(listing, score) for listing, score in scored if score > 0]
        return sorted(found, key=lambda hit: (-hit[1], hit[0].symbol))[:count]

    def unlisted(self, query: str) -> list[str]:
        """Companies that a search knows of and nobody can buy: rows without a symbol."""
        return [name for name in _UNLISTED if query.casefold() in name.casefold().split()]

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._by_symbol.values())

    def _candidates(self, query: str) -> Iterator[Listing]:
        yield from self
        if re.fullmatch(r"X\d{1,4}(\.D?E?)?", query.upper()):
            stem = query.upper().partition(".")[0]
            numbers = (number for number in range(1, 10_000) if f"X{number:04d}".startswith(stem))
            yield from map(generated, numbers)


def load_listings() -> Listings:
    rows = json.loads(Path(__file__).with_name("listings.json").read_text("utf-8"))
    return Listings(map(_listed, rows))


def _listed(row: dict[str, Any]) -> Listing:
    past = row.get("split")
    split = PastSplit(**{**past, "day": date.fromisoformat(past["day"])}) if past else None
    return Listing(**{**row, "market": MARKETS[row["market"]], "split": split})


def generated(number: int) -> Listing:
    price = 5 + number * 7919 % 49_500 / 100
    return Listing(f"X{number:04d}.DE", f"Sandbox {number:04d} AG", MARKETS["GER"], "EUR", price)


def _score(listing: Listing, query: str) -> float:
    wanted = query.strip().upper()
    if wanted == listing.symbol:
        return 30_000.0
    if wanted and wanted in (listing.isin, listing.wkn):
        return 25_000.0
    if wanted and listing.symbol.startswith(wanted):
        return 20_000.0 + 100 * len(wanted)
    words = _WORD.findall(query.casefold())
    if words and all(any(have.startswith(word) for have in listing.words) for word in words):
        return 10_000.0 + sum(100 for word in words if word in listing.words)
    return 0.0
