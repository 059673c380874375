"""What each program refuses in production."""

from pathlib import Path

import pytest

from devstack.supervisor.credentials import Credentials, load_or_create
from devstack.supervisor.layout import Layout
from tests.support.infra.role_settings import (
    BY_SENDGRID,
    Changes,
    faults_of,
    faults_of_program,
    settings_of,
)

UNSAFE: "Changes" = {
    "LIMITS": "relaxed",
    "TRUSTED_PROXIES": "0.0.0.0/0",
    "POSTGRES_DSN": "postgresql://qnt9_gateway:wK3_vq9-Tz0aLx@db.example.com/qnt9",
    "REDIS_URL": "redis://:pJ7hYc2VfMs6GkXw@cache.example.com/0",
    "KAFKA_PROTOCOL": "SASL_PLAINTEXT",
    "PUBLIC_URL": "https://user@qnt9.example.com/?a=b#c",
    "GATEWAY_QUOTAS": "signin-failures=100000/1",
}


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    layout = Layout(tmp_path_factory.mktemp("data"))
    layout.create()
    return load_or_create(layout)


async def test_every_fault_is_named_at_once(credentials: Credentials) -> None:
    changes = {"GATEWAY_KEY": None, "CLIENT_KEY": "A" * 43, "REDIS_URL": "redis://cache"}
    changes |= {"KAFKA_PASSWORD": "changeme", "WAIT_SECONDS": "soon", "LOG_LEVEL": "debug"}
    changes |= {"CORS_ORIGINS": "*", "KAFKA_PROTOCOL": "SASL_PLAINTEXT"}
    faults = await faults_of_program("gateway", settings_of("gateway", credentials, **changes))
    assert sorted({fault.partition(":")[0] for fault in faults}) == [
        f"QNT9_{name}" for name in sorted(changes)
    ]
    assert "A" * 43 not in str(faults), "no secret is repeated"
    assert "redis://cache" not in str(faults)


def test_what_is_wrong_with_mail_is_named_at_once(credentials: Credentials) -> None:
    changes = {"SENDGRID_KEY": "SG.canary", "SENDGRID_URL": "http://canary.example.com"}
    changes |= {"SENDGRID_SECONDS": "soon", "SMTP_URL": "canary", "MAIL_FROM": "canary"}
    chosen = changes | {"MAIL_TRANSPORT": "sendgrid"}
    faults = faults_of("verification", settings_of("verification", credentials, **chosen))
    assert sorted({fault.partition(":")[0] for fault in faults}) == [
        f"QNT9_{name}" for name in sorted(changes)
    ]
    assert "canary" not in str(faults), "no value is repeated"


def test_production_refuses_every_unsafe_setting_by_name(credentials: Credentials) -> None:
    faults = faults_of("gateway", settings_of("gateway", credentials, **UNSAFE))
    assert sorted({fault.partition(":")[0] for fault in faults}) == [
        f"QNT9_{name}" for name in sorted(UNSAFE)
    ]
    assert all("QNT9_ACCEPTED_RISKS=" in fault for fault in faults)
    assert "wK3_vq9" not in str(faults), "no secret is repeated"


ALL_ACCEPTED = (
    "relaxed-limits, large-quotas, wide-proxies, public-url, kafka-plaintext, postgres-plaintext, "
    "redis-plaintext"
)


ALLOWED: list[tuple[str, Changes]] = [
    ("gateway", UNSAFE | {"ACCEPTED_RISKS": ALL_ACCEPTED}),
    ("gateway", UNSAFE | {"ENVIRONMENT": "development"}),
    ("relay", {"KAFKA_PROTOCOL": "SASL_PLAINTEXT", "PLAINTEXT_ALLOWED": "true"}),
    ("verification", {"SMTP_URL": "smtp://mail.example.com", "PLAINTEXT_ALLOWED": "true"}),
    ("verification", {"SMTP_URL": "smtp://mail.example.com", "SMTP_STARTTLS": "true"}),
    ("verification", BY_SENDGRID),
    ("verification", BY_SENDGRID | {"SENDGRID_URL": "https://api.eu.sendgrid.com"}),
    ("verification", BY_SENDGRID | {"SMTP_URL": "smtps://mail.example.com"}),
    (
        "verification",
        BY_SENDGRID | {"SENDGRID_URL": "http://127.0.0.1:1", "ENVIRONMENT": "development"},
    ),
    ("gateway", {"CORS_ORIGINS": "https://App.example.com:443, https://b.example.com:8443"}),
    ("gateway", {"ENVIRONMENT": "development", "CORS_ORIGINS": "http://localhost:3000"}),
    ("gateway", {"GATEWAY_QUOTAS": "read=5/60, write.pro=100/1"}),
    ("relay", {"ENVIRONMENT": "development", "KAFKA_PASSWORD": "test", "LOG_LEVEL": "DEBUG"}),
]


@pytest.mark.parametrize(("role", "changes"), ALLOWED, ids=[f"{r}-{[*c]}" for r, c in ALLOWED])
def test_a_program_starts_with(role: str, changes: Changes, credentials: Credentials) -> None:
    assert faults_of(role, settings_of(role, credentials, **changes)) == []


def test_a_secret_in_a_file_is_judged_too(credentials: Credentials, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("changeme-changeme\n")
    changes = {"KAFKA_PASSWORD": None, "KAFKA_PASSWORD_FILE": str(file)}
    assert faults_of("relay", settings_of("relay", credentials, **changes)) == [
        "QNT9_KAFKA_PASSWORD: is well known"
    ]
