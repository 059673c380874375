import pytest

from contracts.commands import AddToWatchlist
from contracts.confidential import binding
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.topics import MAX_DATA_BYTES
from infra.messaging.inbound import InboundMessage, RawEvent
from infra.messaging.record_reader import (
    RawEventReader,
    RecordReader,
    Refused,
    Unreadable,
    headers_as_text,
)
from infra.security.client_cipher import Client, ClientCipher
from tests.support.message_builders import ARecord, a_record, an_envelope

CIPHER = ClientCipher(bytes(range(32)))
READER = RecordReader({AddToWatchlist.type: AddToWatchlist}, CIPHER)
COMMAND = AddToWatchlist(symbol="AAPL")
TOPIC = "watchlist.commands"


def the_reason(record: ARecord) -> str:
    read = READER.read(record)
    assert isinstance(read, Unreadable)
    return read.reason


def the_refusal(record: ARecord) -> str:
    read = READER.read(record)
    assert isinstance(read, Refused)
    return read.reason


def test_a_record_becomes_a_message_with_who_asked_and_where_it_was() -> None:
    client = Client("203.0.113.7", "a browser")
    envelope = an_envelope(COMMAND)
    record = a_record(COMMAND, envelope=envelope)
    record.headers = [*record.headers, ("ce_client", CIPHER.encrypt(client).encode())]
    read = READER.read(record)
    assert isinstance(read, InboundMessage)
    assert read.data == COMMAND
    assert read.client == client
    assert read.envelope.id == envelope.id
    assert (read.origin.topic, read.origin.offset) == (record.topic, record.offset)


def with_encrypted_note(note: str, *, field: str = "note") -> ARecord:
    envelope = an_envelope(COMMAND)
    token = CIPHER.encrypt_text(note, binding(envelope.id, field))
    return a_record(AddToWatchlist(symbol="AAPL", encrypted_note=token), envelope=envelope)


def test_encrypted_note_is_read_as_clear_one() -> None:
    read = READER.read(with_encrypted_note("earnings on Friday"))
    assert isinstance(read, InboundMessage)
    assert read.data == AddToWatchlist(symbol="AAPL", note="earnings on Friday")


def test_clear_note_of_older_gateway_is_read() -> None:
    command = AddToWatchlist(symbol="AAPL", note="earnings on Friday")
    read = READER.read(a_record(command))
    assert isinstance(read, InboundMessage)
    assert read.data == command


def test_encrypted_note_of_another_command_or_field_is_unreadable() -> None:
    moved = with_encrypted_note("earnings on Friday")
    other = a_record(moved.value, envelope=an_envelope(COMMAND, id=uuid7()), topic=moved.topic)
    for record in (other, with_encrypted_note("earnings on Friday", field="text")):
        assert the_reason(record).startswith("encrypted_note: not encrypted with this key")


def test_encrypted_text_that_is_no_note_is_refused() -> None:
    assert "note: string_too_long" in the_refusal(with_encrypted_note("x" * 281))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the value is null"),
        (b"", "json_invalid"),
        (b"{", "json_invalid"),
        (b"[]", "data: model_type"),
        (b"{}", "symbol: missing"),
        (b'{"symbol": "\xff"}', "json_invalid"),
        (b'"' + b"x" * MAX_DATA_BYTES + b'"', "at most 262144"),
    ],
)
def test_a_value_that_is_no_command_is_named(value: bytes | None, reason: str) -> None:
    assert reason in the_reason(
        a_record(value, envelope=an_envelope(COMMAND), topic="watchlist.commands")
    )


def test_a_value_that_the_contract_refuses_is_named() -> None:
    value = b'{"symbol": "no symbol"}'
    record = a_record(value, envelope=an_envelope(COMMAND), topic="watchlist.commands")
    assert the_refusal(record) == "symbol: string_pattern_mismatch"


def test_reasons_do_not_repeat_what_was_sent() -> None:
    envelope = an_envelope(COMMAND)
    refused = a_record(b'{"symbol": "CANARY secret"}', envelope=envelope, topic=TOPIC)
    assert "CANARY" not in the_refusal(refused)
    unreadable = a_record(b'{"symbol": ["CANARY"]}', envelope=envelope, topic=TOPIC)
    assert "CANARY" not in the_reason(unreadable)


def test_an_unknown_type_is_named() -> None:
    envelope = Envelope(
        id=an_envelope(COMMAND).id,
        source="x",
        type="qnt9.command.fly.v1",
        time=an_envelope(COMMAND).time,
    )
    record = a_record(b"{}", envelope=envelope, topic="watchlist.commands")
    assert the_reason(record) == "unknown type 'qnt9.command.fly.v1'"


@pytest.mark.parametrize("bad", [("ce_subject", None), ("any", b"\xff"), ("ce_client", b"forged")])
def test_a_bad_header_is_named(bad: tuple[str, bytes | None]) -> None:
    record = a_record(COMMAND)
    record.headers = [*record.headers, bad]
    assert bad[0] in the_reason(record)


def test_an_event_of_any_type_is_read_as_it_was_published() -> None:
    envelope = Envelope(
        id=an_envelope(COMMAND).id, source="x", type="t", time=an_envelope(COMMAND).time
    )
    record = a_record(b'{"a":  1}', envelope=envelope, topic="users.events")
    read = RawEventReader().read(record)
    assert isinstance(read, InboundMessage)
    assert isinstance(read.data, RawEvent)
    assert (read.data.value, read.data.body) == (b'{"a":  1}', {"a": 1})
    assert read.data.headers["ce_type"] == "t"


def test_headers_can_always_be_shown() -> None:
    record = a_record(COMMAND)
    record.headers = [("a", None), ("b", b"\xff"), ("c", b"ok")]
    assert headers_as_text(record) == {"a": "null", "b": "\\xff", "c": "ok"}
