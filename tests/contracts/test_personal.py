import pytest
from pydantic import ValidationError

from contracts.events import UserSignedUp
from contracts.ids import uuid7
from contracts.personal import ClearPersonalDataError, ErasedError, Personal
from tests.support.message_builders import a_personal_key

ADDRESS = "anna@example.com"
USER = uuid7()
KEY = a_personal_key(USER)
EVENT = UserSignedUp(user_id=USER, email=Personal(ADDRESS))


def dumped() -> str:
    return EVENT.model_dump_json(context={"personal": KEY})


def test_personal_data_is_read_with_the_key_it_was_written_under() -> None:
    email = UserSignedUp.model_validate_json(dumped()).email
    assert email.key_id == KEY.id
    assert email.reveal(KEY) == ADDRESS


@pytest.mark.parametrize("value", [{"ip": "203.0.113.7", "agent": None}, "ä", None, [1]])
def test_any_json_value_can_be_personal(value: object) -> None:
    assert Personal.of_token(KEY.encrypt(value)).reveal(KEY) == value


@pytest.mark.parametrize("context", [None, {}, {"personal": None}, {"personal": "a key"}])
def test_without_a_key_nothing_is_dumped(context: dict[str, object] | None) -> None:
    with pytest.raises(Exception, match="ClearPersonalDataError") as raised:
        EVENT.model_dump_json(context=context)
    assert ADDRESS not in str(raised.value)
    with pytest.raises((ClearPersonalDataError, Exception)):
        EVENT.model_dump(context=context)


def test_clear_text_is_in_no_dump_and_no_representation() -> None:
    for text in (
        dumped(),
        repr(EVENT),
        str(EVENT),
        str(EVENT.model_dump(context={"personal": KEY})),
    ):
        assert ADDRESS not in text
        assert "anna" not in text
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in repr(KEY)


def test_the_same_value_is_written_differently_each_time() -> None:
    assert KEY.encrypt(ADDRESS) != KEY.encrypt(ADDRESS)


def test_what_was_read_is_dumped_again_without_a_key() -> None:
    once = dumped()
    assert UserSignedUp.model_validate_json(once).model_dump_json() == once


def test_another_key_opens_nothing() -> None:
    token = KEY.encrypt(ADDRESS)
    with pytest.raises(ErasedError):
        a_personal_key().decrypt(token)


@pytest.mark.parametrize("change", [lambda t: t[:-4] + "AAAA", lambda t: t + "!", lambda t: t[:30]])
def test_a_changed_value_opens_nothing(change: object) -> None:
    assert callable(change)
    with pytest.raises(ErasedError):
        KEY.decrypt(change(KEY.encrypt(ADDRESS)))


def test_clear_text_in_a_message_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError) as raised:
        UserSignedUp.model_validate({"user_id": "x", "email": ADDRESS})
    assert ADDRESS not in str(raised.value)
