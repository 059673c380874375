"""Queries and answers of quotes and searches, as the OpenAPI document shows them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contracts.quotes import Quote
from contracts.securities import kind_of
from contracts.values import SearchText, canonical_symbol

MAX_SYMBOLS = 100


class Wanted(BaseModel):
    """Which quotes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbols: Annotated[
        str,
        Field(
            description=f"1 to {MAX_SYMBOLS} symbols with commas between.",
            examples=["SAP.DE,VOD.L"],
        ),
    ]

    @field_validator("symbols")
    @classmethod
    def _so_many(cls, symbols: str) -> str:
        if not 0 < len(texts_in(symbols)) <= MAX_SYMBOLS:
            raise ValueError(f"1 to {MAX_SYMBOLS} symbols with commas between")
        return symbols


def texts_in(symbols: str) -> list[str]:
    """What stands between the commas, each text once."""
    texts = (canonical_symbol(text) for text in symbols.split(","))
    return list(dict.fromkeys(text for text in texts if text))


class SearchQuery(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[
        SearchText, Field(description="Symbol, name, ISIN or WKN.", examples=["DE0007164600"])
    ]

    @field_validator("q")
    @classmethod
    def _right_isin(cls, text: str) -> str:
        kind_of(text)
        return text


class QuoteProblem(BaseModel):
    """Why there is no quote: the code, title, status and detail that it would have by itself."""

    code: str
    title: str
    status: int
    detail: str


class QuoteItem(BaseModel):
    """What became of one symbol: a quote, or a problem."""

    symbol: str
    quote: Quote | None
    problem: QuoteProblem | None


class QuoteList(BaseModel):
    """The outcome for each symbol, in the order asked for."""

    items: list[QuoteItem]
