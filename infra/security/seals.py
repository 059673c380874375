"""Seals: HPKE base mode (RFC 9180; X25519, HKDF-SHA256, AES-256-GCM), bound and padded.

`s1.<key id>.<base64url>`; the binding is HPKE's `info`: opening with another one fails.
"""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts import base64url

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_BLOCK = 512


class SealError(Exception):
    """The seal was made for another key, command, purpose or time, or was changed."""


def binding(command_id: UUID, purpose: str, time: str = "") -> bytes:
    """What a seal is bound to: the command's id, a purpose, and the command's time."""
    return f"qnt9:{purpose}:{command_id}:{time}".encode()


class SealingKey:
    """Closes seals for one recipient."""

    def __init__(self, public: bytes) -> None:
        self._public = X25519PublicKey.from_public_bytes(public)
        self._id = _key_id(public)

    def seal(self, content: Any, bound_to: bytes) -> str:
        """JSON content, padded to a multiple of 512 bytes."""
        clear = orjson.dumps(content)
        clear += b" " * (-len(clear) % _BLOCK)
        sealed = _SUITE.encrypt(clear, self._public, info=bound_to)
        return f"s1.{self._id}.{base64url.encode(sealed)}"


class OpeningKeys:
    """Opens seals with the current key or an older one that is still valid."""

    def __init__(self, private: Sequence[bytes]) -> None:
        keys = [X25519PrivateKey.from_private_bytes(key) for key in private]
        self._keys = {_key_id(key.public_key().public_bytes_raw()): key for key in keys}

    @classmethod
    def generate(cls) -> "tuple[OpeningKeys, str]":
        """A fresh key for this process, and its public half in base64url."""
        key = X25519PrivateKey.generate()
        return cls([key.private_bytes_raw()]), base64url.encode(key.public_key().public_bytes_raw())

    def open(self, sealed: str, bound_to: bytes) -> Any:
        """The content again. Raises `SealError`."""
        try:
            scheme, key_id, body = sealed.split(".")
            key = self._keys[key_id]
            clear = _SUITE.decrypt(base64url.decode(body), key, info=bound_to)
        except (ValueError, KeyError, InvalidTag) as error:
            raise SealError("this seal cannot be opened here") from error
        if scheme != "s1":
            raise SealError("unknown scheme")
        return orjson.loads(clear)

    def derive(self, sealed: str, bound_to: bytes) -> bytes:
        """32 secret bytes that this seal and this binding always give here (HKDF, RFC 5869).

        Nobody can compute them without the private key and the seal, which holds randomness of its
        sender's. Raises `SealError` for a seal of another key.
        """
        try:
            _, key_id, body = sealed.split(".")
            private = self._keys[key_id].private_bytes_raw()
            salt = base64url.decode(body)
        except (ValueError, KeyError) as error:
            raise SealError("this seal cannot be opened here") from error
        return HKDF(SHA256(), 32, salt=salt, info=b"qnt9:derived:" + bound_to).derive(private)


def _key_id(public: bytes) -> str:
    return base64url.encode(hashlib.sha256(public).digest())[:8]
