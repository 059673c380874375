from datetime import UTC, datetime
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.audit.checkpoints import (
    ISSUER,
    Checkpoint,
    CheckpointChecker,
    CheckpointError,
    CheckpointSigner,
    Head,
)
from infra.security.access_tokens import ALGORITHM, key_id

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
HEADS = tuple(Head("users.events", n, n + 1, bytes([n]) * 32) for n in range(5))
CHECKPOINT = Checkpoint(AT, HEADS)


def signed(checkpoint: Checkpoint = CHECKPOINT, key: Ed25519PrivateKey = KEY) -> str:
    return CheckpointSigner(key.private_bytes_raw()).sign(checkpoint)


def test_what_was_signed_comes_back() -> None:
    assert CheckpointChecker([PUBLIC]).check(signed()) == CHECKPOINT
    assert CHECKPOINT.entries == 15


def test_a_key_of_before_is_still_known() -> None:
    newer = Ed25519PrivateKey.generate()
    checker = CheckpointChecker([newer.public_key().public_bytes_raw(), PUBLIC])
    assert checker.check(signed()) == checker.check(signed(key=newer))


def test_a_stranger_signs_nothing() -> None:
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(CheckpointError, match="not signed with a key that is known"):
        CheckpointChecker([PUBLIC]).check(signed(key=stranger))
    claims = jwt.decode(signed(), options={"verify_signature": False})
    forged = jwt.encode(claims, stranger, algorithm=ALGORITHM, headers={"kid": key_id(PUBLIC)})
    with pytest.raises(CheckpointError, match="InvalidSignature"):
        CheckpointChecker([PUBLIC]).check(forged)


@pytest.mark.parametrize("text", ["", "a.b.c", "no checkpoint", '{"signed": 1}'])
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError):
        CheckpointChecker([PUBLIC]).check(text)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"root": "00" * 32}, "root"),
        ({"heads": [["users.events", 0, 1]]}, "no checkpoint"),
        ({"heads": 7}, "no checkpoint"),
        ({"root": "no hex"}, "no checkpoint"),
        ({"iss": "somebody"}, "InvalidIssuer"),
    ],
)
def test_a_signature_does_not_make_up_for_nonsense(claims: dict[str, object], reason: str) -> None:
    good = {"iss": ISSUER, "iat": int(AT.timestamp()), "root": CHECKPOINT.root.hex(), "heads": []}
    headers = {"kid": key_id(PUBLIC)}
    text = jwt.encode(good | claims, KEY, algorithm=ALGORITHM, headers=headers)
    with pytest.raises(CheckpointError, match=reason):
        CheckpointChecker([PUBLIC]).check(text)


def test_the_root_is_the_merkle_tree_hash_of_rfc_9162() -> None:
    a, b, c, d, e = (head.leaf for head in HEADS)

    def node(left: bytes, right: bytes) -> bytes:
        return sha256(b"\1" + left + right).digest()

    assert CHECKPOINT.root == node(node(node(a, b), node(c, d)), e)
    assert Checkpoint(AT, HEADS[:3]).root == node(node(a, b), c)
    assert Checkpoint(AT, HEADS[:1]).root == a
    assert Checkpoint(AT, ()).root == sha256(b"").digest()
