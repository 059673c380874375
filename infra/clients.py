"""Who asked: the address and agent of a request, encrypted on command topics.

Gateway and workers share one AES-256-GCM key; events carry the same under the person's own key.
"""

import base64
import os
from dataclasses import dataclass

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


@dataclass(frozen=True, slots=True)
class Client:
    """The other end of an HTTP request."""

    ip: str | None
    agent: str | None

    def to_json(self) -> dict[str, str | None]:
        return {"ip": self.ip, "agent": self.agent}


class ClientCipher:
    """Encrypts a `Client` for the header `ce_client`, bound to nothing but its scheme."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def encrypt(self, client: Client) -> str:
        nonce = os.urandom(12)
        sealed = self._aead.encrypt(nonce, orjson.dumps(client.to_json()), b"client")
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def decrypt(self, token: str) -> Client:
        """Raises `ValueError` for what this key has not encrypted."""
        try:
            raw = base64.urlsafe_b64decode(token)
            clear = orjson.loads(self._aead.decrypt(raw[:12], raw[12:], b"client"))
        except InvalidTag as error:
            raise ValueError("not encrypted with this key") from error
        return Client(clear["ip"], clear["agent"])
