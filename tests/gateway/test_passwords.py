"""The rules of a password, each by itself."""

import unicodedata

import pytest

from gateway.passwords import LONGEST, check_password, common_passwords

GOOD = "Correct-horse-7"
ADDRESS = "ada.lovelace@example.com"


@pytest.mark.parametrize(
    "password",
    [GOOD, "Aa1!aaaa", "Aa1!" + "a" * (LONGEST - 4), "Süß-und-1-Ωmega", "Pass phrase 1"],
)
def test_a_good_password_is_taken_as_it_is(password: str) -> None:
    assert check_password(password, ADDRESS) == password


def test_two_spellings_of_one_character_are_one_password() -> None:
    composed = "Grüße-an-7"
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed
    assert check_password(decomposed, None) == composed


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("Aa1!aaa", "must have 8 to 128 characters"),
        ("Aa1!" + "a" * (LONGEST - 3), "must have 8 to 128 characters"),
        ("correct-horse-7", "needs an upper-case letter"),
        ("CORRECT-HORSE-7", "needs a lower-case letter"),
        ("Correct-horse", "needs a digit"),
        ("Correcthorse7", "needs a special character"),
        ("Correct-horse-7\0", "must not contain NUL"),
        ("Ada.Lovelace-1843", "must not contain the e-mail address"),
        ("1-Ada.Lovelace@Example.com", "must not contain the e-mail address"),
        ("!Qaz2wsx", "is one of the passwords that everybody tries first"),
    ],
)
def test_each_rule_is_named_when_it_is_broken(password: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        check_password(password, ADDRESS)


def test_every_broken_rule_is_named_at_once() -> None:
    with pytest.raises(ValueError, match="characters; needs an upper-case letter, a digit"):
        check_password("short", None)


def test_a_short_name_may_be_part_of_a_password() -> None:
    assert check_password("Ada-loves-7-numbers", "ada@example.com")


def test_a_fault_never_shows_the_password() -> None:
    with pytest.raises(ValueError, match="must") as error:
        check_password("hunter2", ADDRESS)
    assert "hunter2" not in str(error.value)


def test_common_passwords_meet_the_other_rules() -> None:
    """Others are refused anyway; these are what the list is for."""
    assert len(common_passwords()) > 100
    assert all(8 <= len(password) <= LONGEST for password in common_passwords())
