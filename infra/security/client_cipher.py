"""Who asked and what they wrote: a request's address, agent and texts, encrypted on command topics.

Gateway and workers share one AES-256-GCM key; events carry the same under the person's own key.
"""

import base64
import os
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts import base64url


@dataclass(frozen=True, slots=True)
class Client:
    """The other end of an HTTP request."""

    ip: str | None
    agent: str | None

    def to_json(self) -> dict[str, str | None]:
        """Return address and program as JSON."""
        return {"ip": self.ip, "agent": self.agent}


def network_of(address: str | None) -> str:
    """The network that an address is likely to share with others: IPv4 /24, IPv6 /48.

    An IPv4 address that is written as IPv6 is taken as IPv4; no address is `unknown`.
    """
    if not address:
        return "unknown"
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            return f"{int(parsed) >> 80:x}::/48"
        parsed = parsed.ipv4_mapped
    return f"{str(parsed).rpartition('.')[0]}.0/24"


_NONCE_BYTES = 12
_TEXT_SCHEME = "c1"
_TEXT_BLOCK = 64


class ClientCipher:
    """Encrypts a `Client` for the header `ce_client`, and texts for fields of commands.

    A client is bound to nothing but its scheme, a text to its command and field.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def encrypt(self, client: Client) -> str:
        """Return the client as base64url of nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._aead.encrypt(nonce, orjson.dumps(client.to_json()), b"client")
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def decrypt(self, token: str) -> Client:
        """Raises `ValueError` for what this key has not encrypted."""
        try:
            raw = base64url.decode(token)
            nonce, sealed = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            clear = orjson.loads(self._aead.decrypt(nonce, sealed, b"client"))
        except InvalidTag as error:
            raise ValueError("not encrypted with this key") from error
        return Client(clear["ip"], clear["agent"])

    def encrypt_text(self, text: str, bound_to: bytes) -> str:
        """`c1.<base64url(nonce + ciphertext)>`, padded to a multiple of 64 bytes."""
        clear = orjson.dumps(text)
        clear += b" " * (-len(clear) % _TEXT_BLOCK)
        nonce = os.urandom(_NONCE_BYTES)
        raw = nonce + self._aead.encrypt(nonce, clear, b"text:" + bound_to)
        return f"{_TEXT_SCHEME}.{base64url.encode(raw)}"

    def decrypt_text(self, token: str, bound_to: bytes) -> str:
        """Raises `ValueError` for what this key has not encrypted for this command and field."""
        scheme, _, body = token.partition(".")
        if scheme != _TEXT_SCHEME:
            raise ValueError("unknown scheme")
        try:
            raw = base64url.decode(body)
            nonce, sealed = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return str(orjson.loads(self._aead.decrypt(nonce, sealed, b"text:" + bound_to)))
        except InvalidTag as error:
            raise ValueError("not encrypted with this key for this command") from error
