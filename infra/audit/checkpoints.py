"""Checkpoints: where every chain of the audit log ended at a moment, signed with Ed25519.

A checkpoint is a JWS (RFC 7515, RFC 8037). Its root is a Merkle tree hash (RFC 9162, section
2.1.1) over the heads, 32 bytes that can be noted anywhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from infra.security.access_tokens import ALGORITHM, key_id

ISSUER = "qnt9-audit"


class CheckpointError(Exception):
    """Not signed with a key that is known, or not what a checkpoint looks like."""


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """Where one chain ends: how many rows it has, and the hash of its last link."""

    topic: str
    partition: int
    length: int
    hash: bytes

    @property
    def leaf(self) -> bytes:
        """The leaf of this chain in the Merkle tree: of its place, length and hash."""
        text = f"{self.topic}/{self.partition}/{self.length}/{self.hash.hex()}"
        return sha256(b"\0" + text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All heads at a moment, in the order of topics and partitions."""

    at: datetime
    heads: tuple[Head, ...]

    @property
    def entries(self) -> int:
        """The number of entries of all chains together."""
        return sum(head.length for head in self.heads)

    @property
    def root(self) -> bytes:
        """The root of the Merkle tree over all chains, 32 bytes."""
        return _tree([head.leaf for head in self.heads])


class CheckpointSigner:
    """Signs checkpoints; only the audit worker has one."""

    def __init__(self, private: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self._kid = key_id(self._key.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> str:
        """Return the signature of a checkpoint as text."""
        claims = {
            "iss": ISSUER,
            "iat": int(checkpoint.at.timestamp()),
            "root": checkpoint.root.hex(),
            "heads": [[h.topic, h.partition, h.length, h.hash.hex()] for h in checkpoint.heads],
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._kid})


class CheckpointChecker:
    """Checks checkpoints with the public keys, the current one and those before it."""

    def __init__(self, publics: Iterable[bytes]) -> None:
        self._keys = {key_id(raw): Ed25519PublicKey.from_public_bytes(raw) for raw in publics}

    def check(self, signed: str) -> Checkpoint:
        """Raises `CheckpointError`."""
        try:
            key = self._keys[jwt.get_unverified_header(signed)["kid"]]
            claims = jwt.decode(
                signed,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={"require": ["iat", "root", "heads"], "verify_iat": False},
            )
            heads = tuple(
                Head(str(topic), int(partition), int(length), bytes.fromhex(digest))
                for topic, partition, length, digest in claims["heads"]
            )
            checkpoint = Checkpoint(datetime.fromtimestamp(claims["iat"], UTC), heads)
            root = bytes.fromhex(claims["root"])
        except KeyError as error:
            raise CheckpointError("not signed with a key that is known") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise CheckpointError(f"no checkpoint: {type(error).__name__}") from error
        if checkpoint.root != root:
            raise CheckpointError("its root is not that of its heads")
        return checkpoint


def _tree(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, over leaves that are hashes already."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + _tree(leaves[:half]) + _tree(leaves[half:])).digest()
