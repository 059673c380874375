"""Addresses: mail goes to what was given, two spellings of one account's address compare alike."""

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.addresses import EmailAddress
from infra.mail.addresses import on_the_wire
from infra.security.address_hmac import address_hash, contains_address

EMAIL: TypeAdapter[str] = TypeAdapter(EmailAddress)
KEY = bytes(32)


@pytest.mark.parametrize(
    ("given", "kept", "mailed"),
    [
        ("ada@example.com", "ada@example.com", "ada@example.com"),
        ("Ada@EXAMPLE.com", "Ada@example.com", "Ada@example.com"),
        (" ada@example.com ", "ada@example.com", "ada@example.com"),
        ("\u202aada@example.com\u202c\u200b", "ada@example.com", "ada@example.com"),
        ("wei\u00df@example.org", "wei\u00df@example.org", "wei\u00df@example.org"),
        ("\u0130@example.org", "\u0130@example.org", "\u0130@example.org"),
        ("info@fa\u00df.de", "info@fa\u00df.de", "info@xn--fa-hia.de"),
        ("info@FA\u1e9e.de", "info@fa\u00df.de", "info@xn--fa-hia.de"),
        ("info@xn--fa-hia.de", "info@fa\u00df.de", "info@xn--fa-hia.de"),
        ("a@\u03c3\u03c2.gr", "a@\u03c3\u03c2.gr", "a@xn--3xab.gr"),
        ("a@B\u00dcCHER.example.com", "a@b\u00fccher.example.com", "a@xn--bcher-kva.example.com"),
    ],
)
def test_mail_goes_to_the_address_that_was_given(given: str, kept: str, mailed: str) -> None:
    assert EMAIL.validate_python(given) == kept
    assert on_the_wire(kept) == mailed


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada@example.com", "aDA@EXAMPLE.COM", True),
        ("wei\u00df@example.org", "WEISS@example.org", True),
        ("info@fa\u00df.de", "info@fass.de", False),
        ("info@fa\u00df.de", "info@xn--fa-hia.de", True),
        ("a@\u03c3\u03c2.gr", "a@\u03c3\u03c3.gr", False),
    ],
)
def test_spellings_of_the_local_part_compare_alike_and_domains_do_not(
    one: str, other: str, same: bool
) -> None:
    assert (address_hash(KEY, one) == address_hash(KEY, other)) is same


@pytest.mark.parametrize(
    "given",
    [
        "\u0390" * 64 + "@example.com",
        "\u00df" * 33 + "@example.com",
        "a@" + "\u00df" * 60 + ".de",
        "a b@example.com",
        "a@b@example.com",
        "a@\u202eexample.com",
        "\u0345" * 3 + "@example.com",
        "",
        " @ ",
        "\ud800@example.com",
    ],
)
def test_what_cannot_be_mailed_or_compared_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        EMAIL.validate_python(given)


@pytest.mark.parametrize(
    ("address", "hashed"),
    [
        (
            "Ada@Example.com",
            "d81616e4fa6f72dc5b5bcc747198d188e1481357ad12eaa77ab07e9948eb4394",
        ),
        (
            "D\u00f6rte@B\u00fccher.example.com",
            "b95cab7b1523c92094b68ab118afcbd499978251138f47ba6f6c57d52280da8c",
        ),
    ],
)
def test_hash_of_an_address_is_what_released_versions_made(address: str, hashed: str) -> None:
    assert address_hash(KEY, address) == hashed


def test_password_contains_an_address_in_any_spelling() -> None:
    assert contains_address("Qx7!weissWEISS", "wei\u00df@example.org")
    assert contains_address("Qx7!ada@EXAMPLE.com", "Ada@example.com")
    assert not contains_address("Qx7!correct", "ada@example.com")
