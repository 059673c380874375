import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.securities import CheckDigitError, isin_of_german_issuer, kind_of

WKN_CHARACTERS = string.digits + string.ascii_uppercase.replace("I", "").replace("O", "")
wkns = st.text(WKN_CHARACTERS, min_size=6, max_size=6).filter(
    lambda text: any(c.isdigit() for c in text)
)
isins = wkns.map(isin_of_german_issuer)


def luhn_is_right(isin: str) -> bool:
    """ISO 6166 by hand: letters as two digits, every second digit from the right doubled."""
    digits = "".join(str(int(character, 36)) for character in isin)
    doubled = (
        sum(divmod(2 * int(digit), 10)) if place % 2 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    return sum(doubled) % 10 == 0


@given(isins)
def test_a_made_isin_has_the_right_check_digit(isin: str) -> None:
    assert luhn_is_right(isin)
    assert kind_of(isin) == kind_of(isin.lower()) == "isin"


@given(isins, st.integers(1, 9))
def test_any_other_check_digit_is_wrong(isin: str, more: int) -> None:
    wrong = isin[:-1] + str((int(isin[-1]) + more) % 10)
    assert not luhn_is_right(wrong)
    with pytest.raises(CheckDigitError):
        kind_of(wrong)


@given(isins, st.integers(5, 10), st.sampled_from(WKN_CHARACTERS))
def test_one_wrong_character_is_noticed(isin: str, place: int, character: str) -> None:
    wrong = isin[:place] + character + isin[place + 1 :]
    if luhn_is_right(wrong):
        return  # the same one, or one of the few that the digit does not tell apart
    with pytest.raises(CheckDigitError):
        kind_of(wrong)


@pytest.mark.parametrize("isin", ["US0378331005", "DE0007164600", "GB00BH4HKS39", "IE00B4L5Y983"])
def test_isins_of_any_country(isin: str) -> None:
    assert kind_of(isin) == "isin"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("716460", "wkn"),
        ("A1EWWW", "wkn"),
        ("a1ewww", "wkn"),
        ("SAP.DE", "text"),
        ("NVIDIA", "text"),
        ("ALTRAD", "text"),
        ("A1EWWI", "text"),
        ("apple", "text"),
        ("ZZ0378331005", "text"),
        ("US037833100", "text"),
    ],
)
def test_what_a_text_is_written_as(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_the_isin_of_a_german_wkn() -> None:
    assert isin_of_german_issuer("716460") == "DE0007164600"
