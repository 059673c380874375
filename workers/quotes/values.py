"""Prices, times and names as providers write them, or nothing where they cannot be right. Pure."""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

DELAY_MINUTES = 15
NAME_LENGTH = 120
DIGITS_MOST = 24
HUNDREDTHS = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
"""Currencies that stand for a hundredth of another; GBp is not GBP."""

_CURRENCY = re.compile(r"^[A-Za-z]{3}$")
_NUMBER = re.compile(r"^[0-9]{1,20}(\.[0-9]{1,20})?$")


def in_whole_units(price: Decimal, currency: str) -> tuple[Decimal, str]:
    """Pence in pounds, exactly; anything else as it is."""
    if currency in HUNDREDTHS:
        return price.scaleb(-2), HUNDREDTHS[currency]
    return price, currency


def currency_of(value: Any) -> str | None:
    return value if isinstance(value, str) and _CURRENCY.match(value) else None


def positive(value: Any) -> Decimal | None:
    """A price that can be one: finite, above zero, and of a size that can be written down."""
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or value <= 0:
        return None
    _, digits, exponent = value.as_tuple()
    in_bounds = isinstance(exponent, int) and -DIGITS_MOST <= exponent <= DIGITS_MOST
    return value if in_bounds and len(digits) <= DIGITS_MOST else None


def positive_text(value: Any) -> Decimal | None:
    """The same of a price that is written as a text."""
    if not isinstance(value, str) or not _NUMBER.match(value):
        return positive(value)
    try:
        return positive(Decimal(value))
    except InvalidOperation:
        return None


def time_of(value: Any) -> datetime | None:
    if type(value) is not int or not 0 < value < 10**10:
        return None
    return datetime.fromtimestamp(value, UTC)


def name_of(value: Any) -> str:
    """Without what no text column, no JSON and no screen takes."""
    text = value if isinstance(value, str) else ""
    return "".join(c for c in text if c.isprintable()).strip()[:NAME_LENGTH]


def text_of(price: Decimal) -> str:
    """Every digit there is, and two decimals at least."""
    exponent = price.as_tuple().exponent
    decimals = max(-exponent if isinstance(exponent, int) else 0, 2)
    return f"{price:.{decimals}f}"


def change_of(price: Decimal, previous: Decimal) -> str:
    """In per cent."""
    return f"{(price - previous) / previous * 100:.2f}"
