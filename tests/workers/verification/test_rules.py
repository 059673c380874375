from datetime import timedelta
from uuid import UUID

import pytest

from contracts.events import (
    UserEmailChangeRequested,
    UserPasswordChanged,
    UserPasswordReset,
)
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from contracts.personal import Personal
from contracts.sealed_contents import Redemption
from contracts.times import in_utc
from infra.security.mailed_tokens import token_hash
from tests.support.message_builders import NOW, a_personal_key
from tests.support.users import ADA
from workers.notifications.rules import (
    EMAIL_CHANGE,
    Retry,
    changes_of_address,
    greeted_name,
    mailed_token,
)
from workers.verification.rules import Person, Token, Verify, redeem, who_waits

KEY = bytes(range(32))
INVALID = Rejected("invalid-token")


def a_person(
    *, minutes: int = 0, confirmed: bool = False, superseded: bool = False, erased: bool = False
) -> Person:
    user_id = uuid7()
    return Person(
        user_id,
        ADA,
        None,
        a_personal_key(user_id),
        NOW + timedelta(minutes=minutes),
        NOW if confirmed else None,
        superseded=superseded,
        erased=erased,
    )


def test_a_good_token_verifies_its_person_and_ends_the_others() -> None:
    ada, eve, gone = a_person(), a_person(), a_person(superseded=True)
    token = Token(ada.user_id, EMAIL_CHANGE)
    assert redeem(token, [eve, ada, gone], ADA) == Verify(ada, (eve.user_id,))


def test_link_of_a_sign_up_takes_proof() -> None:
    ada, eve = a_person(), a_person()
    assert redeem(Token(ada.user_id), [eve, ada], ADA) == Rejected("proof-required")


def test_a_used_token_says_again_when_it_was_used() -> None:
    ada = a_person(confirmed=True)
    reported = Succeeded({"email_confirmed_at": in_utc(NOW)})
    assert redeem(Token(ada.user_id, used=True), [ada], ADA) == reported
    assert redeem(Token(ada.user_id, used=True, expired=True), [ada], ADA) == reported


def test_a_link_to_another_address_moves_who_is_confirmed_already() -> None:
    ada, eve = a_person(confirmed=True), a_person()
    token = Token(ada.user_id, EMAIL_CHANGE)
    assert redeem(token, [ada, eve], "new@example.com") == Verify(ada, (eve.user_id,))


def test_no_one_moves_to_an_address_that_is_someones_by_now() -> None:
    ada, owner = a_person(confirmed=True), a_person(confirmed=True)
    assert redeem(Token(ada.user_id, EMAIL_CHANGE), [ada, owner], "new@example.com") == INVALID


def test_a_used_link_says_nothing_once_its_address_is_left() -> None:
    ada = a_person(confirmed=True)
    used = Token(ada.user_id, EMAIL_CHANGE, used=True)
    assert redeem(used, [ada], "left@example.com") == INVALID
    assert isinstance(redeem(used, [ada], ADA), Succeeded)


@pytest.mark.parametrize("kind", [UserPasswordChanged, UserPasswordReset])
def test_a_new_password_ends_what_was_asked_for_before_it(
    kind: type[UserPasswordChanged] | type[UserPasswordReset],
) -> None:
    ada, bob = uuid7(), uuid7()
    first, last = (
        UserEmailChangeRequested(user_id=ada, new_email=Personal(f"{n}@example.com"))
        for n in ("first", "last")
    )
    bobs = UserEmailChangeRequested(user_id=bob, new_email=Personal("bob@example.com"))
    assert changes_of_address([first, last, bobs]) == ({ada, bob}, {ada: last, bob: bobs})
    assert changes_of_address([first, kind(user_id=ada)]) == ({ada}, {})
    assert changes_of_address([kind(user_id=ada), last]) == ({ada}, {ada: last})


def test_an_unknown_token_is_invalid() -> None:
    assert redeem(None, [], ADA) == INVALID


def test_a_voided_token_is_invalid_also_when_it_has_expired() -> None:
    ada = a_person()
    assert redeem(Token(ada.user_id, voided=True, expired=True), [ada], ADA) == INVALID


def test_a_token_past_its_time_says_so() -> None:
    ada = a_person()
    assert redeem(Token(ada.user_id, expired=True), [ada], ADA) == Rejected("expired-token")


@pytest.mark.parametrize(
    "person", [a_person(superseded=True), a_person(erased=True), a_person(confirmed=True)]
)
def test_a_token_of_someone_who_does_not_wait_is_invalid(person: Person) -> None:
    assert redeem(Token(person.user_id), [person], ADA) == INVALID


def test_a_token_for_an_address_that_is_someone_elses_by_now_is_invalid() -> None:
    ada, owner = a_person(), a_person(confirmed=True)
    assert redeem(Token(ada.user_id), [ada, owner], ADA) == INVALID


def test_an_erased_owner_owns_nothing() -> None:
    ada, owner = a_person(), a_person(confirmed=True, erased=True)
    assert redeem(Token(ada.user_id, EMAIL_CHANGE), [ada, owner], ADA) == Verify(ada, ())


def test_the_used_token_of_someone_who_was_erased_reveals_nothing() -> None:
    ada = a_person(confirmed=True, erased=True)
    assert redeem(Token(ada.user_id, used=True), [ada], ADA) == INVALID


def test_the_newest_sign_up_waits_for_the_mail() -> None:
    old, new, newest_ended = a_person(), a_person(minutes=1), a_person(minutes=2, superseded=True)
    assert who_waits([new, newest_ended, old]) is new
    assert who_waits([new, a_person(confirmed=True)]) is None
    assert who_waits([]) is None


def test_a_token_is_the_same_for_the_same_mail_and_no_other() -> None:
    mail_id = UUID(int=1)
    token = mailed_token(KEY, mail_id)
    assert token == mailed_token(KEY, mail_id)
    assert len(token) == 43
    assert set(token) <= {*"-_", *map(chr, range(48, 58)), *map(chr, range(65, 123))}
    assert token != mailed_token(KEY, UUID(int=2))
    assert token != mailed_token(bytes(reversed(KEY)), mail_id)
    assert len(token_hash(token)) == 32


def test_a_token_is_not_in_the_representation() -> None:
    assert "secret-token" not in repr(Redemption(token="secret-token"))


def test_waits_double_up_to_a_minute_with_jitter() -> None:
    retry = Retry()

    def seconds(attempts: int, chance: float) -> float:
        delay = retry.delay(attempts, timedelta(), chance)
        assert delay is not None
        return delay.total_seconds()

    assert [seconds(n, 0) for n in (1, 2, 3, 6, 7, 10_000)] == [1, 2, 4, 32, 60, 60]
    assert seconds(7, 0.999) == pytest.approx(30, abs=0.1)


def test_it_is_given_up_after_three_days_and_not_before() -> None:
    retry = Retry()
    assert retry.delay(9, timedelta(hours=71, minutes=59), 0.5) is not None
    assert retry.delay(9, timedelta(hours=72), 0.5) is None


def test_a_wait_that_is_asked_for_is_granted_within_reason() -> None:
    retry = Retry()
    assert retry.delay(1, timedelta(), 0.5, 90) == timedelta(seconds=90)
    assert retry.delay(9, timedelta(), 0, 5) == retry.most
    assert retry.delay(1, timedelta(), 0.5, 1e9) == retry.most_asked
    assert retry.delay(1, timedelta(hours=72), 0.5, 90) is None


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Ada", "Ada"),
        ("  J.R.R.  Tolkien ", "J.R.R. Tolkien"),
        ("Zoë Ångström-O'Neil", "Zoë Ångström-O'Neil"),
        ("Ada\r\nBcc: eve@example.com", "Ada"),
        ("Ada\r\nLovelace", "Ada Lovelace"),
        ("win at evil.example", "win at"),
        ("win at evil\u3002example now", "win at now"),
        ("win at evil\uff0eexample", "win at"),
        ("win at evil\u200b.example", "win at evil"),
        ("Call 0800 123-456 now", "Call now"),
        ("Call +49 (30) 12 34 56", "Call"),
        ("Call \uff10\uff18\uff10\uff10\uff11\uff12\uff13 now", "Call now"),
        ("Ada 1815", "Ada 1815"),
        ("www evil", "evil"),
        ("evil.com/x", None),
        ("x" * 60, "x" * 40),
        ("--", None),
        ("https://evil", None),
        ("\u202eadA", "adA"),
        (" ", None),
        (None, None),
    ],
)
def test_name_in_a_mail_has_one_line_and_no_link_or_number_to_call(
    name: str | None, greeted: str | None
) -> None:
    assert greeted_name(name) == greeted
