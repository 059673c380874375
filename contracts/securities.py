"""What a person may type for a security: an ISIN, a WKN, or some other text. And what is found."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict
from stdnum import isin as _isin
from stdnum.exceptions import InvalidChecksum, ValidationError

from contracts.text import folded
from contracts.values import Symbol

Kind = Literal["isin", "wkn", "text"]
Match = Literal["symbol", "isin", "wkn", "name"]

_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_WKN = re.compile(r"(?=.*[0-9])[A-HJ-NP-Z0-9]{6}")
_LABEL = re.compile(r"(?P<number>ISIN|WKN)(?:\W*(?:CODE|NUMBER|NUMMER|NO|NR)\b)?[\W_]+(?=\w)")
_HAS_DIGIT = re.compile(r"[0-9]")
_APART = re.compile(r"[\s\-\u2010-\u2015.:/]+")
_CLASS_SHARE = re.compile(r"(?P<stem>[A-Z]{1,5})[./ ](?P<share>[A-Z])")


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


@dataclass(frozen=True, slots=True)
class Identified:
    """What a text is written as, and the form under which it is asked for, cached and compared."""

    kind: Kind
    subject: str


def identified(text: str) -> Identified:
    """A number without label, groups and hyphens; any other text folded.

    `ISIN US-037833-100-5` is US0378331005, `WKN 716 460` is 716460. Raises `CheckDigitError` for
    what is written as an ISIN and has a wrong digit.
    """
    folded_text = folded(text)
    plain = unicodedata.normalize("NFKC", folded_text)
    label = _LABEL.match(plain)
    groups = [group for group in _APART.split(plain[label.end() :] if label else plain) if group]
    number = "".join(groups)
    # Words may well make twelve characters together: without a label each group has a digit.
    written_so = label is not None or all(map(_HAS_DIGIT.search, _after_country(groups)))
    if _ISIN.fullmatch(number) and _is_isin(number, certain=written_so):
        return Identified("isin", number)
    is_one = label is not None or len(groups) == 1 or number.isdigit()
    if _WKN.fullmatch(number) and is_one and (label is None or label["number"] == "WKN"):
        return Identified("wkn", number)
    return Identified("text", folded_text)


def kind_of(text: str) -> Kind:
    """What a text is written as. Raises `CheckDigitError` for an ISIN with a wrong digit."""
    return identified(text).kind


def _after_country(groups: list[str]) -> list[str]:
    """The groups of an ISIN whose country code, which has no digit, may stand apart."""
    return groups[1:] if len(groups) > 1 and len(groups[0]) == 2 else groups


def _is_isin(number: str, *, certain: bool) -> bool:
    """Raises `CheckDigitError` for a wrong digit where it is certainly written as an ISIN."""
    try:
        _isin.validate(number)
    except InvalidChecksum:
        if certain:
            raise CheckDigitError from None
        return False
    except ValidationError:  # no country has this prefix: a name that looks like one
        return False
    return True


def spelling_of_class_share(text: str) -> str | None:
    """`BRK.B`, `BRK/B` and `BRK B` as providers write it, BRK-B; None for what looks otherwise.

    Nothing says that there is such a share: VOD.L is a share in London, and no class of VOD.
    """
    found = _CLASS_SHARE.fullmatch(text.upper()) if text.isascii() else None
    return f"{found['stem']}-{found['share']}" if found else None


def isin_of_german_issuer(wkn: str) -> str:
    """The ISIN of a WKN, if its issuer is German; of any other it is well-formed and wrong."""
    return _isin.from_natid("DE", wkn.upper())


def search_key(text: str) -> str:
    """Where the cache has what was `Found` for a text, as JSON."""
    return f"qnt9:search:{text}"
