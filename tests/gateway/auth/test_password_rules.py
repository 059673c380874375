"""The rules of a password, each by itself."""

import unicodedata

import pytest

from gateway.auth.password_rules import LONGEST, check_password

GOOD = "Quiet-harbour-7"
ADDRESS = "ada.lovelace@example.com"


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "Zk1!vqxw",  # 8 characters
        "Aa1!" + "a" * (LONGEST - 4),  # 128
        "Süß-und-1-Ωmega",
        "Ärger-über-7",
        "Пароль-длиной-7",
        "Zk1vqxw\N{PILE OF POO}",
        "Aa1!\N{FAMILY}\N{ZERO WIDTH JOINER}\N{GIRL}x",
        "Pass phrase 1",
        "  Zk1vqx  ",
        "Ää\N{ARABIC-INDIC DIGIT SEVEN}¿" + "ä" * 96,  # 100 characters, 200 bytes
    ],
)
def test_a_good_password_is_taken_as_it_is(password: str) -> None:
    assert check_password(password, ADDRESS) == password


def test_two_spellings_of_one_character_are_one_password() -> None:
    composed = "Grüße-an-7"
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed
    assert check_password(decomposed, None) == composed


def test_spaces_at_the_ends_are_part_of_a_password() -> None:
    assert check_password(" Quiet-harbour-7 ", None) != check_password("Quiet-harbour-7", None)


def test_length_is_counted_in_characters_after_they_were_composed() -> None:
    longest = "Aa1!" + "a\u0308" * (LONGEST - 4)
    assert len(longest) > LONGEST
    assert len(check_password(longest, None)) == LONGEST
    with pytest.raises(ValueError, match="must have 8 to 128 characters"):
        check_password("Aa1!" + "a\u0308" * 3, None)


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("Aa1!aaa", "must have 8 to 128 characters"),
        ("Aa1!" + "a" * (LONGEST - 3), "must have 8 to 128 characters"),
        ("quiet-harbour-7", "needs an upper-case letter"),
        ("QUIET-HARBOUR-7", "needs a lower-case letter"),
        ("Quiet-harbour", "needs a digit"),
        ("Quietharbour7", "needs a special character"),
        ("Aa1!aaaaaaaa" + "\N{PILE OF POO}" * (LONGEST - 11), "must have 8 to 128 characters"),
        ("ÜBER-ÄRGER-7", "needs a lower-case letter"),
        ("über-ärger-7", "needs an upper-case letter"),
        ("漢字漢字漢字-7", "needs an upper-case letter, a lower-case letter"),
        ("Quiet harbour", "needs a digit"),
        ("Süßigkeit7", "needs a special character"),
        ("\0Quiet-harbour-7", "must not contain NUL"),
        ("Quiet-harbour-7\0", "must not contain NUL"),
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


def test_common_passwords_are_refused_in_any_case() -> None:
    for password in ("!qaz2wsx", "P@ssw0rd!", "Passw0rd!2"):
        for spelling in (password, password.upper(), password.title()):
            with pytest.raises(ValueError, match="everybody tries first"):
                check_password(spelling, None)
