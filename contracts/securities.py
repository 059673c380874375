"""What a person may type for a security: an ISIN, a WKN, or some other text. And what is found."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict
from stdnum import isin as _isin
from stdnum.exceptions import InvalidChecksum, ValidationError

from contracts.values import Symbol

Kind = Literal["isin", "wkn", "text"]
Match = Literal["symbol", "isin", "wkn", "name"]

_ISIN = re.compile(r"^[A-Z]{2}[A-Z0-9]{9}[0-9]$")
_WKN = re.compile(r"^(?=.*[0-9])[A-HJ-NP-Z0-9]{6}$")


class CheckDigitError(ValueError):
    """It is written as an ISIN, but its last digit is not the one that the others give."""

    def __init__(self) -> None:
        super().__init__("the check digit of this ISIN is wrong")


class Candidate(BaseModel):
    """A security that may be meant. What a provider does not say is null, never guessed."""

    model_config = ConfigDict(frozen=True)

    symbol: Symbol
    name: str
    exchange: str | None
    currency: str | None
    type: str | None
    isin: str | None
    match: Match


class Found(BaseModel):
    """What a search found, the likeliest first.

    `complete` is false when no provider could be asked: then these are from our own memory.
    """

    model_config = ConfigDict(frozen=True)

    query: str
    kind: Kind
    candidates: list[Candidate]
    complete: bool = True


def kind_of(text: str) -> Kind:
    """What a text is written as. Raises `CheckDigitError` for an ISIN with a wrong digit."""
    text = text.upper()
    if _ISIN.match(text):
        try:
            _isin.validate(text)
        except InvalidChecksum:
            raise CheckDigitError from None
        except ValidationError:  # no country has this prefix: a name that looks like one
            return "text"
        return "isin"
    return "wkn" if _WKN.match(text) else "text"


def isin_of_german_issuer(wkn: str) -> str:
    """The ISIN of a WKN, if its issuer is German; of any other it is well-formed and wrong."""
    return _isin.from_natid("DE", wkn.upper())


def search_key(text: str) -> str:
    """Where the cache has what was `Found` for a text, as JSON."""
    return f"qnt9:search:{text}"
