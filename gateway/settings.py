"""What the gateway is told at its start."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from infra.settings import KafkaSettings, Key, PostgresSettings, ProcessSettings, RedisSettings


def _networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]
"""Addresses or networks, separated by commas."""


class GatewaySettings(ProcessSettings, KafkaSettings, PostgresSettings, RedisSettings):
    """The edge holds keys to seal and to check, none to open or to sign with."""

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
    wait_seconds: float = Field(default=5.0, gt=0, le=30)
    wait_seconds_most: float = Field(default=20.0, gt=0, le=60)
    publish_seconds: float = Field(default=3.0, gt=0, le=30)
    signin_seconds: float = Field(default=15.0, gt=0, le=60)
    body_bytes_most: int = Field(default=64 * 1024, ge=1024)
    drain_seconds: float = Field(default=15.0, gt=0, le=60)
