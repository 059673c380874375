"""The gateway's settings."""

from ipaddress import ip_network

import pytest

from devstack.supervisor.credentials import generate_keys
from gateway.settings import GatewaySettings
from infra.runtime.settings import SettingsError

NEEDED = {
    "PUBLIC_URL": "https://qnt9.example.com",
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "KAFKA_USERNAME": "gateway",
    "KAFKA_PASSWORD": "wK3_vq9-Tz0aLx",
    "POSTGRES_DSN": "postgresql://gateway:Lx9-pq_2TzvKw0@127.0.0.1/qnt9",
    "REDIS_URL": "redis://:zT_0aLxK3-vq9w@127.0.0.1/0",
}


def settings_with(monkeypatch: pytest.MonkeyPatch, **more: str) -> GatewaySettings:
    named = {f"QNT9_{name}": value for name, value in (NEEDED | more).items()}
    for name, value in (generate_keys() | named).items():
        monkeypatch.setenv(name, value)
    return GatewaySettings.load()


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("", ()),
        ("10.0.0.1", (ip_network("10.0.0.1"),)),
        ("10.0.0.0/8, 2001:db8::/32", (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))),
    ],
)
def test_trusted_proxies_are_listed_with_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, networks: tuple[object, ...]
) -> None:
    assert settings_with(monkeypatch, TRUSTED_PROXIES=text).trusted_proxies == networks


def test_a_proxy_that_is_no_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"QNT9_TRUSTED_PROXIES.*'proxy'"):
        settings_with(monkeypatch, TRUSTED_PROXIES="proxy")
