"""Every value type is a fixed point: what was validated is valid, and stays as it is."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.addresses import EmailAddress, folded_address
from contracts.securities import CheckDigitError, identified
from contracts.text import folded
from contracts.values import DisplayName, Note, SearchText, Symbol
from infra.security.address_hmac import address_hash
from tests.support.sizes import size
from tests.support.unicode_samples import CATEGORIES, CHARACTERS, WORST, texts_with

TYPES: dict[str, tuple[TypeAdapter[str], int]] = {
    "note": (TypeAdapter(Note), 280),
    "display name": (TypeAdapter(DisplayName), 80),
    "search text": (TypeAdapter(SearchText), 64),
    "symbol": (TypeAdapter(Symbol), 32),
}
EMAIL: TypeAdapter[str] = TypeAdapter(EmailAddress)
KEY = bytes(32)


def check_fixed_point(adapter: TypeAdapter[str], longest: int, text: str) -> None:
    try:
        once = adapter.validate_python(text)
    except ValidationError:
        return
    assert adapter.validate_python(once) == once, ascii(text)
    assert adapter.validate_json(adapter.dump_json(once)) == once, ascii(text)
    assert len(once) <= longest
    assert unicodedata.is_normalized("NFC", once)


def test_the_characters_are_of_every_category() -> None:
    every = {unicodedata.category(chr(code)) for code in range(0x110000)}
    assert every == CATEGORIES


@pytest.mark.parametrize("name", TYPES)
def test_value_of_every_character_is_a_fixed_point(name: str) -> None:
    adapter, longest = TYPES[name]
    for character in CHARACTERS:
        for text in texts_with(character, most=longest):
            check_fixed_point(adapter, longest, text)


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=size(100, 5_000), deadline=None)
@given(text=WORST)
def test_value_of_any_text_is_a_fixed_point(name: str, text: str) -> None:
    check_fixed_point(*TYPES[name], text)


def check_address(text: str) -> None:
    try:
        once = EMAIL.validate_python(text)
    except ValidationError:
        return
    assert EMAIL.validate_python(once) == once, ascii(text)
    hashed = address_hash(KEY, once)
    assert address_hash(KEY, folded_address(once)) == hashed, ascii(text)
    assert folded_address(folded_address(once)) == folded_address(once)


def test_address_with_every_character_is_a_fixed_point() -> None:
    for character in CHARACTERS:
        check_address(f"a{character}@example.com")
        check_address(f"{character * 40}@example.com")
        check_address(f"a@b{character}.example.com")


@settings(max_examples=size(150, 5_000), deadline=None)
@given(local=WORST, domain=WORST)
def test_address_of_any_text_is_a_fixed_point(local: str, domain: str) -> None:
    check_address(f"{local[:70]}@{domain[:70]}.example.com")
    check_address(f"{local[:70]}@example.com")


def test_folded_form_of_every_character_is_a_fixed_point() -> None:
    for character in CHARACTERS:
        once = folded(character)
        assert folded(once) == once, ascii(character)


@settings(max_examples=size(150, 5_000), deadline=None)
@given(text=st.one_of(WORST, st.text("US0378331005 -ISINWKN:.", max_size=30)))
def test_search_of_any_text_has_one_subject(text: str) -> None:
    try:
        text = TYPES["search text"][0].validate_python(text)
        found = identified(text)
    except (ValidationError, CheckDigitError):
        return
    assert identified(found.subject) == found
