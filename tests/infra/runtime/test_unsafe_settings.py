"""Production refuses settings that open a door; each can be accepted by its own name alone."""

from collections.abc import Iterator

import pytest

from gateway.rate_limit.policies import STRICT, excessive
from gateway.settings import GatewaySettings
from infra.runtime.secret_policy import secret_violations
from infra.runtime.unsafe_settings import RISKS

NAMES = [*GatewaySettings.model_fields, "smtp_url", "smtp_starttls"]
DSN = "postgresql://qnt9_gateway:wK3_vq9-Tz0aLx@"
CACHE = "redis://:pJ7hYc2VfMs6GkXw@"
REMOTE = f"{DSN}db.example.com:5432/qnt9"

REFUSED: dict[str, tuple[str, list[str]]] = {
    "limits": ("relaxed-limits", ["relaxed"]),
    "gateway_quotas": (
        "large-quotas",
        [
            "signin-failures=100000/1",
            "signin-failures=1000000/1000000000",
            "mail-account=51/3600",
            "read.pro=1000000/60",
            "read=240/60, client=301/0001, write=12001/60",
        ],
    ),
    "body_bytes_most": ("large-quotas", ["1000000000"]),
    "streams_of_a_user": ("large-quotas", ["100000"]),
    "max_connections_per_client": ("large-quotas", ["1000000"]),
    "max_buffered_bytes": ("large-quotas", ["100000000000"]),
    "trusted_proxies": (
        "wide-proxies",
        [
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/8,0.0.0.0/0",
            "0.0.0.0/1, 128.0.0.0/1",
            ",".join(f"{n}.0.0.0/8" for n in range(60, 64)),
            "2000::/3",
        ],
    ),
    "public_url": (
        "public-url",
        [
            "https://user@qnt9.example.com",
            "https://user:word@qnt9.example.com",
            "https://qnt9.example.com/?a=b",
            "https://qnt9.example.com/#top",
            "https://qnt9.example.com?",
            "https://@qnt9.example.com",
        ],
    ),
    "kafka_protocol": ("kafka-plaintext", ["SASL_PLAINTEXT"]),
    "postgres_dsn": (
        "postgres-plaintext",
        [
            REMOTE,
            *(f"{REMOTE}?sslmode={mode}" for mode in ("disable", "prefer", "require", "verify-ca")),
            f"{REMOTE}?sslmode=verify-full&sslmode=disable",
            f"{DSN}127.0.0.1,db.example.com/qnt9",
            f"{DSN}/qnt9?host=db.example.com",
            f"{DSN}[2001:db8::1]:5432/qnt9",
            f"{DSN}10.0.0.7/qnt9",
        ],
    ),
    "redis_url": (
        "redis-plaintext",
        [
            f"{CACHE}cache.example.com/0",
            f"{CACHE}10.0.0.7:6379/0",
            f"{CACHE}[2001:db8::1]/0",
            f"{CACHE.replace('redis', 'rediss')}cache.example.com/0?ssl_cert_reqs=none",
            f"{CACHE.replace('redis', 'rediss')}cache.example.com/0?ssl_check_hostname=false",
        ],
    ),
    "smtp_url": ("smtp-plaintext", ["smtp://mail.example.com", "smtp://10.0.0.7:25"]),
    "otlp_endpoint": ("otlp-plaintext", ["http://otel.example.com:4318", "http://10.0.0.7:4318"]),
}
TAKEN: dict[str, list[str]] = {
    "limits": ["strict"],
    "gateway_quotas": ["", "read=5/60, write.pro=100/1", "signin-client=300/60"],
    "body_bytes_most": ["65536"],
    "trusted_proxies": [
        "",
        "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 127.0.0.0/8, fc00::/7",
        "203.0.113.10, 2001:db8::10",
        "173.245.48.0/20,104.16.0.0/13,2400:cb00::/32,2606:4700::/32",
        "60.0.0.0/8",
    ],
    "public_url": ["https://qnt9.example.com", "https://qnt9.example.com:8443/app"],
    "kafka_protocol": ["SASL_SSL"],
    "postgres_dsn": [
        f"{REMOTE}?sslmode=verify-full&sslrootcert=/ca.pem",
        f"{DSN}127.0.0.1:5432/qnt9",
        f"{DSN}[::1]:5432/qnt9",
        f"{DSN}localhost/qnt9",
        f"{DSN}/qnt9?host=/var/run/postgresql",
    ],
    "redis_url": [
        f"{CACHE}127.0.0.1:6379/0",
        f"{CACHE.replace('redis', 'rediss')}cache.example.com/0",
        "unix://:pJ7hYc2VfMs6GkXw@/run/valkey.sock",
    ],
    "smtp_url": ["smtps://mail.example.com"],
    "otlp_endpoint": ["", "https://otel.example.com:4318", "http://127.0.0.1:4318"],
}


def faults(**given: str) -> list[tuple[str, str]]:
    return list(secret_violations(NAMES, (), given, GatewaySettings.violations(given)))


def refused() -> Iterator[tuple[str, str, str]]:
    for setting, (risk, values) in REFUSED.items():
        yield from ((setting, risk, value) for value in values)


@pytest.mark.parametrize(("setting", "risk", "value"), list(refused()))
def test_an_unsafe_setting_is_refused_unless_its_own_risk_is_accepted(
    setting: str, risk: str, value: str
) -> None:
    found = faults(**{setting: value})
    assert {name for name, _ in found} == {setting}
    assert all(f"QNT9_ACCEPTED_RISKS={risk}" in fault for _, fault in found)
    others = ",".join(RISKS.keys() - {risk})
    assert faults(**{setting: value}, accepted_risks=others) == found
    assert faults(**{setting: value}, accepted_risks=f"public-url, {risk}") == []
    assert faults(**{setting: value}, environment="development") == []


@pytest.mark.parametrize(
    ("setting", "value"), [(name, each) for name, values in TAKEN.items() for each in values]
)
def test_a_safe_setting_is_taken(setting: str, value: str) -> None:
    assert faults(**{setting: value}) == []


def test_every_risk_has_a_setting_that_it_stands_for() -> None:
    assert {risk for risk, _ in REFUSED.values()} == RISKS.keys()


def test_the_strict_limits_are_not_excessive_themselves() -> None:
    for name, quotas in STRICT.items():
        for tier, quota in quotas.items():
            assert not [*excessive(f"{name}.{tier}={quota.most}/{quota.seconds}")]
