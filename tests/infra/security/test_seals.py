import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from contracts import base64url
from contracts.commands import VerifyEmail
from contracts.ids import uuid7
from infra.security.seals import OpeningKeys, SealError, SealingKey, binding

PRIVATE = X25519PrivateKey.generate()
SEALING = SealingKey(PRIVATE.public_key().public_bytes_raw())
OPENING = OpeningKeys([PRIVATE.private_bytes_raw()])
ID = uuid7()
BOUND = binding(ID, "signup", "2026-11-03T12:00:00+00:00")
CONTENT = {"email": "anna@example.com", "password": "Korrekt-Pferd-7"}


def test_a_seal_opens_for_its_worker_and_its_command() -> None:
    assert OPENING.open(SEALING.seal(CONTENT, BOUND), BOUND) == CONTENT


def test_a_seal_is_what_a_command_accepts() -> None:
    sealed = SEALING.seal(CONTENT, BOUND)
    assert VerifyEmail(sealed=sealed).sealed == sealed


@pytest.mark.parametrize(
    "other",
    [
        binding(uuid7(), "signup", "2026-11-03T12:00:00+00:00"),
        binding(ID, "signin", "2026-11-03T12:00:00+00:00"),
        binding(ID, "signup", "2026-11-03T12:00:01+00:00"),
        b"",
    ],
    ids=["another command", "another purpose", "another time", "nothing"],
)
def test_a_seal_of_another_binding_does_not_open(other: bytes) -> None:
    with pytest.raises(SealError):
        OPENING.open(SEALING.seal(CONTENT, BOUND), other)


def test_another_worker_opens_nothing() -> None:
    other, _ = OpeningKeys.generate()
    with pytest.raises(SealError):
        other.open(SEALING.seal(CONTENT, BOUND), BOUND)


def test_an_older_key_still_opens_after_rotation() -> None:
    newer = X25519PrivateKey.generate().private_bytes_raw()
    keys = OpeningKeys([newer, PRIVATE.private_bytes_raw()])
    assert keys.open(SEALING.seal(CONTENT, BOUND), BOUND) == CONTENT


def test_a_generated_pair_fits() -> None:
    opening, public = OpeningKeys.generate()
    assert opening.open(SealingKey(base64url.decode(public)).seal([1], b"x"), b"x") == [1]


def test_length_reveals_nothing_about_the_content() -> None:
    lengths = {len(SEALING.seal({"password": "x" * n}, BOUND)) for n in range(8, 129)}
    assert len(lengths) == 1


def test_a_seal_shows_nothing_and_is_never_the_same() -> None:
    sealed = SEALING.seal(CONTENT, BOUND)
    assert "Korrekt" not in sealed
    assert sealed != SEALING.seal(CONTENT, BOUND)


@pytest.mark.parametrize("cut", [lambda s: s[:-6], lambda s: s[:-6] + "AAAAAA", lambda s: s[:20]])
def test_a_changed_seal_does_not_open(cut: object) -> None:
    assert callable(cut)
    with pytest.raises(SealError):
        OPENING.open(cut(SEALING.seal(CONTENT, BOUND)), BOUND)


@pytest.mark.parametrize("text", ["", "s1", "s1.x", "s1.x.y", "s2.x.y", "a.b.c.d", "s1.ä.ä"])
def test_what_is_no_seal_does_not_open(text: str) -> None:
    with pytest.raises(SealError):
        OPENING.open(text, BOUND)


def test_another_scheme_is_not_opened() -> None:
    sealed = SEALING.seal(CONTENT, BOUND)
    with pytest.raises(SealError):
        OPENING.open(f"s2{sealed[2:]}", BOUND)


def test_random_bytes_do_not_open() -> None:
    prefix = SEALING.seal(CONTENT, BOUND).rpartition(".")[0]
    for size in (1, 31, 32, 33, 48, 100):
        with pytest.raises(SealError):
            OPENING.open(f"{prefix}.{os.urandom(size).hex()}", BOUND)


def test_derived_bytes_depend_on_the_key_the_seal_and_the_binding() -> None:
    sealed, other = SEALING.seal(CONTENT, BOUND), SEALING.seal(CONTENT, BOUND)
    derived = OPENING.derive(sealed, BOUND)
    assert len(derived) == 32
    assert OPENING.derive(sealed, BOUND) == derived
    stranger = X25519PrivateKey.generate().private_bytes_raw()
    assert OpeningKeys([stranger, PRIVATE.private_bytes_raw()]).derive(sealed, BOUND) == derived
    assert len({derived, OPENING.derive(other, BOUND), OPENING.derive(sealed, b"else")}) == 3


def test_nothing_is_derived_from_a_seal_of_another_key() -> None:
    opening, _ = OpeningKeys.generate()
    with pytest.raises(SealError):
        opening.derive(SEALING.seal(CONTENT, BOUND), BOUND)
