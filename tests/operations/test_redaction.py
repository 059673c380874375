import pytest

from contracts.commands import AddToWatchlist, SignUp
from contracts.events import UserSignedUp
from contracts.ids import uuid7
from contracts.personal import Personal
from infra.security.seals import SealingKey
from operations.redaction import matches, printable, show
from tests.support.message_builders import a_personal_key, a_record, an_envelope

PUBLIC = bytes(range(32))


def test_a_personal_value_is_shown_as_whose_it_is() -> None:
    user_id = uuid7()
    key = a_personal_key(user_id)
    event = UserSignedUp(user_id=user_id, email=Personal("ada@example.com"))
    displayed = show(a_record(event, personal=key))
    assert displayed.data["email"] == f"(encrypted, user:{user_id})"
    assert (displayed.type, displayed.problem) == (UserSignedUp.type, None)


def test_what_is_personal_in_an_event_is_veiled_in_a_command_too() -> None:
    displayed = show(a_record(AddToWatchlist(symbol="AAPL", note="earnings on Friday")))
    assert displayed.data["note"] == "(personal, 18 characters)"


def test_encrypted_text_of_a_command_is_not_shown() -> None:
    displayed = show(a_record(AddToWatchlist(symbol="AAPL", encrypted_note="c1.abc")))
    assert displayed.data == {"symbol": "AAPL", "note": None, "encrypted_note": "(encrypted)"}


def test_a_seal_is_shown_as_a_seal() -> None:
    sealed = SealingKey(PUBLIC).seal({"password": "secret"}, b"a command")
    displayed = show(a_record(SignUp(sealed=sealed)))
    assert displayed.data == {"sealed": f"(sealed, {len(sealed)} characters)"}


def test_who_asked_is_not_shown() -> None:
    record = a_record(b"{}", envelope=an_envelope(SignUp), topic="signup.commands")
    record.headers = [*record.headers, ("ce_client", b"ciphertext")]
    assert show(record).headers["ce_client"] == "(encrypted)"


@pytest.mark.parametrize("value", [None, b"", b"\xff\x1b[2J", b"{", b"[1, null]"])
def test_nothing_fails_for_a_bad_record_and_nothing_reaches_the_terminal(
    value: bytes | None,
) -> None:
    record = a_record(value, envelope=an_envelope(SignUp), topic="signup.commands")
    record.headers = [*record.headers, ("x\x1b", None), ("y", b"\xff\x1b")]
    record.key = b"\xff\x1b]0;"
    displayed = show(record)
    assert displayed.problem
    assert "\x1b" not in str(displayed)


def test_printable_leaves_letters_of_every_language() -> None:
    assert printable("Ünïcødé 日本\n\u202e") == "Ünïcødé 日本\\n\\u202e"


def test_a_record_is_chosen_by_type_in_full_or_in_short_and_by_key() -> None:
    record = a_record(SignUp(sealed=SealingKey(PUBLIC).seal({}, b"")), key="a key")
    assert matches(record, type_=None, key=None)
    assert matches(record, type_="qnt9.command.sign_up.v1", key="a key")
    assert matches(record, type_="command.sign_up", key=None)
    assert not matches(record, type_="sign_up", key=None)
    assert not matches(record, type_=None, key="another")
