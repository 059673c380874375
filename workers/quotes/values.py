"""Prices, times and names as providers write them, or nothing where they cannot be right. Pure."""

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from workers.quotes.currencies import is_known

DELAY_MINUTES = 15
NAME_LENGTH = 120
MAX_DIGITS = 24
MAX_HINT = 12
MAX_LOSS = Decimal("0.0001")
"""What a provider's hint may take away of a price: a hundredth of a percent."""

_NUMBER = re.compile(r"^[0-9]{1,20}(\.[0-9]{1,20})?$")


def currency_of(value: Any) -> str | None:
    """A unit that prices are known to be in; GBp is not GBP."""
    return value if isinstance(value, str) and is_known(value) else None


def hint_of(value: Any) -> int | None:
    """To how many decimals a provider says that a price is shown."""
    return value if type(value) is int and 0 <= value <= MAX_HINT else None


def rounded(price: Decimal, hint: int | None) -> Decimal:
    """A price as its provider would show it, and never with fewer digits than are significant.

    Yahoo's numbers were of 32 bits: 164.98 comes as 164.97999572753906. The price gets the decimals
    of the hint, and more until it differs by no more than `MAX_LOSS`. What has no more digits, or
    no hint, stays as it is.
    """
    if hint is None:
        return price
    exponent = price.as_tuple().exponent
    given = -exponent if isinstance(exponent, int) else 0
    for decimals in range(hint, given):
        shorter = price.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
        if abs(shorter - price) <= price * MAX_LOSS:
            return shorter
    return price


def positive(value: Any) -> Decimal | None:
    """A price that can be one: finite, above zero, and of a size that can be written down."""
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or value <= 0:
        return None
    _, digits, exponent = value.as_tuple()
    in_bounds = isinstance(exponent, int) and -MAX_DIGITS <= exponent <= MAX_DIGITS
    return value if in_bounds and len(digits) <= MAX_DIGITS else None


def positive_text(value: Any) -> Decimal | None:
    """The same of a price that is written as a text."""
    if not isinstance(value, str) or not _NUMBER.match(value):
        return positive(value)
    try:
        return positive(Decimal(value))
    except InvalidOperation:
        return None


def volume_of(value: Any) -> int | None:
    """A number of shares, also as a text; None for what cannot be one."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:MAX_DIGITS])
    return value if type(value) is int and 0 <= value < 10**18 else None


def time_of(value: Any) -> datetime | None:
    """Return the time of a number of seconds since 1970, None for what is none."""
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
