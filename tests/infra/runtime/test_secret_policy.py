"""Secrets that are none, by the values alone."""

import os

import pytest

from infra.runtime.secret_policy import weak_key, weak_password


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (bytes(32), "is no random key"),
        (b"\x07" * 32, "is no random key"),
        (b"abcd" * 8, "is no random key"),
        (bytes(range(32)), "is no random key"),
        (bytes(range(64, 0, -2)), "is no random key"),
        (b"correct horse battery staple 123", "is text, no random key"),
        (
            bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
            "is an example key of a standard",
        ),
    ],
)
def test_what_is_no_key_is_reported(key: bytes, fault: str) -> None:
    assert len(key) == 32
    assert weak_key(key) == fault


def test_random_keys_are_keys() -> None:
    assert not any(weak_key(os.urandom(32)) for _ in range(1_000))


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("", "is short"),
        ("short-pass1", "is short"),
        ("aaaaaaaaaaaaaaaa", "repeats itself"),
        ("ab12xyab12xy", "repeats itself"),
        ("changeme-changeme", "is well known"),
        ("x7Changeme!9-or-not", "is well known"),
        ("Password-123456", "is well known"),
        ("postgres-admin-1", "is well known"),
        ("qnt9-test-secret", "is well known"),
        ("1234567890123", "is well known"),
    ],
)
def test_what_is_no_password_is_reported(password: str, fault: str) -> None:
    assert fault in str(weak_password(password))


@pytest.mark.parametrize("password", ["wK3_vq9-Tz0aLx", "a-moose-once-bit-my-sister"])
def test_a_password_is_taken(password: str) -> None:
    assert weak_password(password) is None
