"""Who asked: the address and agent of a request, encrypted on command topics.

Gateway and workers share one AES-256-GCM key; events carry the same under the person's own key.
"""

import base64
import os
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

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
