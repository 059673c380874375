"""The gateway's settings."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from gateway.http.forwarded import Source
from gateway.rate_limit.policies import SETS, STRICT, ByTier, excessive, with_changes
from infra.runtime.settings import (
    KafkaSettings,
    Key,
    OutcomeSettings,
    PostgresSettings,
    ProcessSettings,
    RedisSettings,
)
from infra.runtime.unsafe_settings import Violation

MOST = {
    "body_bytes_most": 1024 * 1024,
    "streams_most": 100_000,
    "streams_of_a_user": 100,
    "max_connections": 100_000,
    "max_connections_per_client": 10_000,
    "max_buffered_bytes": 1024 * 1024 * 1024,
}
"""What is more than this in production has a name of its own to be accepted by."""


def _networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]
"""Addresses or networks, separated by commas."""


def _origins(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(_origin(part.strip()) for part in value.split(",") if part.strip())


def _origin(text: str) -> str:
    """As browsers send it (RFC 6454): scheme, host, port unless it is the scheme's own."""
    if text in {"*", "null"}:
        raise ValueError(f"{text!r} allows any origin: name the origins")
    url = urlsplit(text)
    default = {"http": 80, "https": 443}.get(url.scheme)
    if default is None or f"{url.scheme}://{url.netloc}".lower() != text.lower():
        raise ValueError(f"{text!r} is no origin such as https://app.example.com")
    if "*" in text or "@" in text or not url.hostname:
        raise ValueError(f"{text!r} names no single host")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port not in {None, default} else "")


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)]
"""Origins whose pages may call, separated by commas."""


def _quotas(text: str) -> str:
    with_changes(STRICT, text)
    return text


def _server(text: str) -> str:
    """Raises `ValueError` for what is neither empty nor the address of a server."""
    url = urlsplit(text)
    if text and (url.scheme not in {"http", "https"} or not url.hostname):
        raise ValueError("must be empty or an address such as https://passwords.example.com")
    if url.query or url.fragment or url.username:
        raise ValueError("must have no query, fragment or user")
    return text


class GatewaySettings(
    ProcessSettings, KafkaSettings, PostgresSettings, RedisSettings, OutcomeSettings
):
    """The gateway holds keys to seal and to verify, none to open or to sign."""

    http_host: str = "127.0.0.1"
    http_port: int = 8000
    public_url: str
    gateway_key: Key
    address_key: Key
    client_key: Key
    signup_seal_public: Key
    accounts_seal_public: Key
    verification_seal_public: Key
    token_public_key: Key

    trusted_proxies: Networks = ()
    forwarded_header: Source = "auto"
    cors_origins: Origins = ()
    limits: Literal["strict", "relaxed"] = "strict"
    gateway_quotas: Annotated[str, AfterValidator(_quotas)] = ""
    wait_seconds: float = Field(default=5.0, gt=0, le=30)
    wait_seconds_most: float = Field(default=20.0, gt=0, le=60)
    publish_seconds: float = Field(default=3.0, gt=0, le=30)
    signin_seconds: float = Field(default=15.0, gt=0, le=60)
    # Well within the time in which a spent token repeats its successor: whoever got 503 asks again.
    refresh_seconds: float = Field(default=5.0, gt=0, le=7)
    body_bytes_most: int = Field(default=64 * 1024, ge=1024)
    streams_most: int = Field(default=2_000, ge=1)
    streams_of_a_user: int = Field(default=5, ge=1)
    """Of one process, each of them."""
    max_connections: int = Field(default=4_096, ge=16)
    max_connections_per_client: int = Field(default=512, ge=1)
    """Of one address, or of one /64 network; those of trusted proxies are not counted."""
    max_buffered_bytes: int = Field(default=32 * 1024 * 1024, ge=1024 * 1024)
    """Heads and bodies of requests that are not answered yet, of all connections together."""
    breached_passwords_url: Annotated[str, AfterValidator(_server)] = ""
    """A server with Have I Been Pwned's range search for new passwords; empty for none."""
    drain_seconds: float = Field(default=15.0, gt=0, le=60)

    @classmethod
    def violations(cls, given: Mapping[str, str]) -> Iterator[Violation]:
        """Limits that are so large that they are none."""
        for fault in excessive(given.get("gateway_quotas", "")):
            yield Violation("gateway_quotas", fault, "large-quotas")
        for name, most in MOST.items():
            if (text := given.get(name, "")).isdecimal() and int(text) > most:
                yield Violation(name, f"is more than {most:,}", "large-quotas")

    @property
    def page_origins(self) -> frozenset[str]:
        """Origins whose pages may have a session in a cookie: those named, and the gateway's."""
        url = urlsplit(self.public_url)
        return frozenset((*self.cors_origins, _origin(f"{url.scheme}://{url.netloc}".lower())))

    @property
    def quotas(self) -> Mapping[str, ByTier]:
        """The numbers of each policy."""
        return with_changes(SETS[self.limits], self.gateway_quotas)
