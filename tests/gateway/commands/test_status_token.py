"""Handles: they say everything, and nobody else can make one."""

import base64
import os
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gateway.commands.status_token import Handle, read_handle

KEY = os.urandom(32)


def a_handle(*, of_somebody: bool = True) -> Handle:
    return Handle(
        uuid4(),
        "qnt9.command.add_to_watchlist.v1",
        datetime(2026, 11, 3, 12, tzinfo=UTC),
        uuid4() if of_somebody else None,
        "a fingerprint" if of_somebody else None,
    )


@pytest.mark.parametrize("of_somebody", [True, False])
def test_a_signed_handle_is_read_as_it_was(of_somebody: bool) -> None:
    handle = a_handle(of_somebody=of_somebody)
    assert read_handle(KEY, handle.sign(KEY)) == handle


def test_a_handle_fits_a_path() -> None:
    text = a_handle().sign(KEY)
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_handle_of_another_key_was_never_issued() -> None:
    assert read_handle(KEY, a_handle().sign(os.urandom(32))) is None


def test_a_handle_with_any_byte_changed_was_never_issued() -> None:
    text = a_handle().sign(KEY)
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        assert read_handle(KEY, base64.urlsafe_b64encode(changed).decode()) is None


@pytest.mark.parametrize("text", ["", "a", "abc", "é", "%00", "=" * 9, "A" * 10_000])
def test_a_text_that_is_no_handle_was_never_issued(text: str) -> None:
    assert read_handle(KEY, text) is None
