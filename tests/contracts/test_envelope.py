from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope, Headers, UnreadableError
from contracts.ids import uuid7
from tests.support.message_builders import NOW

FULL = Envelope(
    id=UUID(int=1),
    source="urn:qnt9:gateway",
    type="qnt9.command.sign_in.v1",
    time=NOW,
    subject="ä subject",
    correlation_id="a-request",
    causation_id="a-cause",
    actor_id=UUID(int=2),
    traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
    tracestate="vendor=1",
    reply_to="qnt9:outcomes:gateway",
    deadline=NOW,
    fingerprint="abc",
    client="encrypted",
)


def headers(**changed: bytes | None) -> list[tuple[str, bytes | None]]:
    """Of a good envelope, some replaced."""
    return [(name, changed.get(name, value)) for name, value in FULL.to_headers()]


def test_an_envelope_comes_back_as_it_was() -> None:
    assert Envelope.from_headers(FULL.to_headers()) == FULL


text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)


@given(
    subject=st.none() | text,
    correlation=text,
    time=st.datetimes(timezones=st.just(UTC)),
    actor=st.none() | st.uuids(),
)
def test_whatever_it_holds(
    subject: str | None, correlation: str, time: datetime, actor: UUID | None
) -> None:
    envelope = Envelope(
        id=uuid7(),
        source="urn:x",
        type="t",
        time=time,
        subject=subject,
        correlation_id=correlation,
        actor_id=actor,
    )
    assert Envelope.from_headers(envelope.to_headers()) == envelope


def test_headers_are_cloud_events_in_binary_mode() -> None:
    found = dict(FULL.to_headers())
    assert found["ce_specversion"] == b"1.0"
    assert found["ce_dataschema"] == b"urn:qnt9:schema:qnt9.command.sign_in.v1"
    assert found["content-type"] == b"application/json"
    assert found["ce_time"] == b"2026-11-03T12:00:00+00:00"


def test_what_is_not_there_has_no_header() -> None:
    bare = Envelope(id=uuid7(), source="urn:x", type="t", time=NOW)
    assert not {"ce_subject", "ce_actorid", "ce_client"} & dict(bare.to_headers()).keys()


def test_a_time_without_a_zone_is_utc() -> None:
    assert Envelope.from_headers(headers(ce_time=b"2026-11-03T12:00:00")).time == NOW


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (headers(ce_subject=None), "'ce_subject' is null"),
        (headers(ce_subject=b"\xff\xfe"), "'ce_subject' is not UTF-8"),
        (headers(ce_subject=b"a\0b"), "'ce_subject' holds U+0000"),
        (headers(ce_id=b"not an id"), "malformed"),
        (headers(ce_time=b"yesterday"), "malformed"),
        (headers(ce_actorid=b"nobody"), "malformed"),
        ([], "'ce_id' is missing"),
        ([("another", None)], "'another' is null"),
    ],
)
def test_headers_that_hold_no_envelope_say_why(bad: Headers, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason.replace("+", r"\+")):
        Envelope.from_headers(bad)
