import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.securities import (
    CheckDigitError,
    identified,
    isin_of_german_issuer,
    kind_of,
    spelling_of_class_share,
)

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


@pytest.mark.parametrize(
    ("text", "kind", "subject"),
    [
        ("US 0378331005", "isin", "US0378331005"),
        ("us 037833 100 5", "isin", "US0378331005"),
        ("US-037833-100-5", "isin", "US0378331005"),
        ("ISIN: US0378331005", "isin", "US0378331005"),
        ("isin us 0378331005", "isin", "US0378331005"),
        ("ISIN-Code US0378331005", "isin", "US0378331005"),
        ("\uff35\uff330378331005", "isin", "US0378331005"),
        ("DE 000 BAY 0017", "isin", "DE000BAY0017"),
        ("WKN 716460", "wkn", "716460"),
        ("wkn: 716 460", "wkn", "716460"),
        ("716 460", "wkn", "716460"),
        ("MDAX 50", "text", "MDAX 50"),
        ("ISIN 716460", "text", "ISIN 716460"),
        ("AT ANDRITZ 123", "text", "AT ANDRITZ 123"),
        ("wei\u00df", "text", "WEISS"),
        ("ISIN", "text", "ISIN"),
    ],
)
def test_number_is_taken_out_of_labels_groups_and_hyphens(
    text: str, kind: str, subject: str
) -> None:
    found = identified(text)
    assert (found.kind, found.subject) == (kind, subject)


@pytest.mark.parametrize("text", ["US 037833 100 6", "ISIN US0378331006", "US-0378331006"])
def test_isin_in_groups_with_a_wrong_digit_is_refused(text: str) -> None:
    with pytest.raises(CheckDigitError):
        identified(text)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("BRK.B", "BRK-B"),
        ("brk/b", "BRK-B"),
        ("BF B", "BF-B"),
        ("BRK-B", None),
        ("SAP.DE", None),
        ("A.B.C", None),
        ("\u00df.B", None),
    ],
)
def test_class_share_is_spelled_as_providers_do(text: str, spelling: str | None) -> None:
    assert spelling_of_class_share(text) == spelling
