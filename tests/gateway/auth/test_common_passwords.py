"""Usual passwords are refused although they have four character classes; random ones are taken."""

import random
import string

import pytest

from gateway.auth.common_passwords import built, count, is_common
from gateway.auth.password_rules import check_password
from gateway.auth.password_strength import is_guessable

USUAL = [
    "P@ssw0rd!",
    "Pass@123",
    "Qnt91234!",
    "Correct-horse-7",
    "Correct-horse-7-battery",
    "Summer2024!",
    "Winter2025!",
    "Welcome1!",
    "Password1!",
    "Passw0rd!",
    "Admin@123",
    "Qwerty123!",
    "Qwerty1!",
    "Abc123!@#",
    "Abcd1234!",
    "Monkey123!",
    "Dragon1!",
    "Letmein1!",
    "Iloveyou1!",
    "Football1!",
    "Baseball1!",
    "Charlie1!",
    "Michael1!",
    "Jordan23!",
    "Superman1!",
    "Batman123!",
    "Trustno1!",
    "Master123!",
    "Shadow1!",
    "Sunshine1!",
    "Princess1!",
    "Hello123!",
    "Welcome@123",
    "Test@1234",
    "Changeme1!",
    "Secret123!",
    "Google123!",
    "Samsung1!",
    "Liverpool1!",
    "Chelsea1!",
    "Arsenal1!",
    "Ashley1!",
    "Jessica1!",
    "Hunter2!x",
    "Killer1!",
    "Pokemon1!",
    "Starwars1!",
    "Zaq12wsx!",
    "Q1w2e3r4!",
    "1qaz@WSX",
    "Password123!",
    "January2026!",
    "London2024!",
    "Berlin#2023",
    "Aa123456!",
    "Qaz123!@#",
    "P@$$w0rd1",
    "Nicole!23",
    "Matrix@99",
    "Login123!",
    "Root@1234",
    "Qnt9-2026!",
    "MyPassword1!",
    "Hello-World1",
    "Asdf1234!",
    "Qwertz123!",
    "!QAZ2wsx",
    "1q2w3e4R!",
    "Battery-staple-8",
    "Stock$2026",
    "Passwort1!",
    "Azerty123!",
    "Tr0ub4dor&3",
    "Asdfghjkl1!",
]


def a_random_one(chance: random.Random, length: int) -> str:
    """With four character classes, as a password manager makes them."""
    alphabet = string.ascii_letters + string.digits + "!#$%&*+-=?@_"
    while True:
        password = "".join(chance.choice(alphabet) for _ in range(length))
        classes = (str.isupper, str.islower, str.isdigit, lambda c: not c.isalnum())
        if all(any(map(has, password)) for has in classes):
            return password


def refused(password: str, *known: str) -> bool:
    try:
        check_password(password, None)
    except ValueError:
        return True
    return is_guessable(password, *known)


@pytest.mark.parametrize("password", USUAL)
def test_usual_password_with_four_classes_is_refused(password: str) -> None:
    assert refused(password)


@pytest.mark.parametrize("length", [10, 12, 16, 24, 64, 128])
def test_random_password_is_taken(length: int) -> None:
    chance = random.Random(length)
    assert not any(refused(a_random_one(chance, length)) for _ in range(50))


def test_nearly_every_random_password_of_the_least_length_is_taken() -> None:
    chance = random.Random(8)
    assert sum(refused(a_random_one(chance, 8)) for _ in range(200)) <= 12


@pytest.mark.parametrize(
    "password",
    [
        "Quiet-harbour-61-lantern",
        "Copper-meadow-27-violin",
        "Süß-und-1-Ωmega-Ton",
        "Пароль-длиной-7-лет",
    ],
)
def test_passphrase_of_unexpected_words_is_taken(password: str) -> None:
    assert not refused(password)


def test_what_belongs_to_the_user_or_the_product_is_guessed() -> None:
    assert refused("Lovelace-1815!", "ada.lovelace@example.com", "Ada Lovelace")
    assert refused("Qnt9-Stock-26!")


def test_the_list_holds_more_than_a_hundred_thousand() -> None:
    assert count() > 100_000


def test_list_that_is_built_again_is_the_same_in_any_order() -> None:
    assert built(["b", "A", "a ", ""]) == built(["a", "b"])
    assert len(built(["a", "b"])) == 10


def test_word_is_no_other_for_the_case_or_the_signs_around_it() -> None:
    for spelling in ("sunshine", "SUNSHINE", "Sunshine#1", "!!Sunsh1ne!!", "$un$hine-26"):
        assert is_common(spelling)
    assert not is_common("Sunshine" + "7" * 20)
