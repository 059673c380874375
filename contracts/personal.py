"""Personal data in messages: encrypted under one person's key, never serialised in clear.

A `Personal` field holds either the clear value (made by a handler, on its way out) or the
ciphertext (read from a topic). Dumping one needs the person's `PersonalKey` as the context
`{"personal": key}`; without it a clear value refuses to be written. Destroying the key erases
the value everywhere at once, topics and audit log included.
"""

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from contracts import base64url

_SCHEME = "p1"
_NONCE_BYTES = 12
_BYTES = b":bytes"


class ClearPersonalDataError(Exception):
    """A personal value was about to be written without its person's key."""


class ErasedError(Exception):
    """The value cannot be read: its key was destroyed, or it is not this key's."""


@dataclass(frozen=True)
class PersonalKey:
    """One person's AES-256-GCM key. `id` is `user:<uuid>`, or `day:<date>` for nobody's data."""

    id: str
    secret: bytes = field(repr=False)

    @cached_property
    def _aead(self) -> AESGCM:
        return AESGCM(self.secret)

    def encrypt(self, value: Any) -> str:
        """`p1.<key id>.<base64url(nonce + ciphertext)>` of any JSON value."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._aead.encrypt(nonce, orjson.dumps(value), self.id.encode())
        token = base64url.encode(nonce + sealed)
        return f"{_SCHEME}.{self.id}.{token}"

    def decrypt(self, token: str) -> Any:
        """The value again. Raises `ErasedError` when this is not its key."""
        scheme, _, remaining = token.partition(".")
        key_id, _, body = remaining.rpartition(".")
        if scheme != _SCHEME or key_id != self.id:
            raise ErasedError(key_id)
        try:
            raw = base64url.decode(body)
            clear = self._aead.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], self.id.encode())
        except (InvalidTag, ValueError) as error:
            raise ErasedError(key_id) from error
        return orjson.loads(clear)

    def encrypt_bytes(self, content: bytes) -> bytes:
        """Nonce and ciphertext of any bytes."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, self.id.encode() + _BYTES)

    def decrypt_bytes(self, sealed: bytes) -> bytes:
        """The bytes again. Raises `ErasedError` when this is not their key."""
        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._aead.decrypt(nonce, body, self.id.encode() + _BYTES)
        except (InvalidTag, ValueError) as error:
            raise ErasedError(self.id) from error


class Personal:
    """A personal value of a message: clear on its way out, ciphertext once read from a topic."""

    __slots__ = ("_clear", "_token")

    def __init__(self, clear: Any) -> None:
        self._clear = clear
        self._token: str | None = None

    @classmethod
    def of_token(cls, token: str) -> Self:
        """A value as read from a topic."""
        value = cls(None)
        value._token = token
        return value

    @property
    def key_id(self) -> str | None:
        """Whose key opens it; None while it is still clear."""
        return self._token.split(".", 1)[1].rpartition(".")[0] if self._token else None

    def reveal(self, key: PersonalKey) -> Any:
        """The clear value. Raises `ErasedError`."""
        return key.decrypt(self._token) if self._token else self._clear

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and (self._clear, self._token) == (
            other._clear,
            other._token,
        )

    def __hash__(self) -> int:
        return hash((repr(self._clear), self._token))

    def __repr__(self) -> str:
        return "Personal(***)"

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                cls._serialize, info_arg=True, return_schema=core_schema.str_schema()
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": r"^p1\.(user|day):[0-9a-f-]+\.[A-Za-z0-9_-]+$",
            "description": "Personal data, encrypted under the person's key.",
        }

    @classmethod
    def _validate(cls, value: object) -> Self:
        match value:
            case Personal():
                return value  # type: ignore[return-value]  # Personal has no subclasses
            case str() if value.startswith(f"{_SCHEME}."):
                return cls.of_token(value)
        raise ValueError("personal data must be encrypted, or a Personal value")

    def _serialize(self, info: SerializationInfo) -> str:
        if self._token:
            return self._token
        key = (info.context or {}).get("personal")
        if not isinstance(key, PersonalKey):
            raise ClearPersonalDataError
        return key.encrypt(self._clear)
