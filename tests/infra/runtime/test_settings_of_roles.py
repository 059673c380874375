"""What each program refuses to start with, asked as `qnt9 config check` asks it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest

from devstack.supervisor.credentials import ROLES, Credentials, load_or_create
from devstack.supervisor.environment import of_role
from devstack.supervisor.layout import Layout
from devstack.supervisor.options import Options
from devstack.supervisor.ports import Ports
from infra.runtime.settings import ProcessSettings, SettingsError
from tests.support.stack import ROOT

Environment = dict[str, str]
Changes = dict[str, str | None]
IN_PRODUCTION = {
    "QNT9_ENVIRONMENT": "production",
    "QNT9_KAFKA_PROTOCOL": "SASL_SSL",
    "QNT9_PUBLIC_URL": "https://qnt9.example.com",
    "QNT9_SMTP_URL": "smtps://mail.example.com",
    "QNT9_LIMITS": "strict",
}
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


def settings_of(role: str, credentials: Credentials, **changes: str | None) -> Environment:
    """As on one machine, but outside development; None takes a setting away."""
    found = of_role(role, credentials, Ports(8000), Options(Path("data")))
    found |= {name: value for name, value in IN_PRODUCTION.items() if name in found}
    for name, value in changes.items():
        found.pop(f"QNT9_{name}", None)
        if value is not None:
            found[f"QNT9_{name}"] = value
    return found


def faults_of(role: str, settings: Mapping[str, str]) -> list[str]:
    """What the role's settings are refused for, loaded as its program loads them."""
    program = import_module(f"{module_of(role)}.__main__")
    kind: type[ProcessSettings] = get_type_hints(program.run)["settings"]
    with pytest.MonkeyPatch.context() as environment:
        for name in [*os.environ]:
            if name.startswith("QNT9_"):
                environment.delenv(name)
        for name, value in settings.items():
            environment.setenv(name, value)
        try:
            kind.load()
        except SettingsError as error:
            return list(error.faults)
    return []


def module_of(role: str) -> str:
    return role if role == "gateway" else f"workers.{role}"


async def faults_of_program(role: str, settings: Mapping[str, str]) -> list[str]:
    """What the program says, and that its exit code tells."""
    machine = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module_of(role), "--check"),
        env={**machine, "PYTHONPATH": str(ROOT), **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    faults = errors.decode().splitlines()
    assert process.returncode == (2 if faults else 0)
    return faults


@pytest.mark.parametrize("role", ROLES)
async def test_every_role_is_fit_to_start_and_names_all_that_is_missing(
    role: str, credentials: Credentials
) -> None:
    settings = settings_of(role, credentials)
    assert await faults_of_program(role, settings) == []
    optional = {
        "QNT9_ENVIRONMENT",
        "QNT9_KAFKA_PROTOCOL",
        "QNT9_KAFKA_MECHANISM",
        "QNT9_LIMITS",
        "QNT9_CORS_ORIGINS",
    }
    needed = settings.keys() - optional
    faults = await faults_of_program(role, {})
    assert {fault.partition(":")[0] for fault in faults if "is missing" in fault} == needed


A_KEY = "qHrZtFdG4i2u1n3kP0xWvYb7sLcM9eRjTaUoE5QwXyA"
A_SENDGRID_KEY = "SG.wK3_vq9-Tz0aLx.pJ7hYc2VfMs6GkXw"
BY_SENDGRID: Changes = {
    "MAIL_TRANSPORT": "sendgrid",
    "SENDGRID_KEY": A_SENDGRID_KEY,
    "SMTP_URL": None,
}
TEXT_KEY = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZSAxMjM"
REFUSED: list[tuple[str, str, Changes, str]] = [
    ("gateway", "GATEWAY_KEY", {"GATEWAY_KEY": "AAAA"}, "must be 32 bytes, has 3"),
    ("gateway", "GATEWAY_KEY", {"GATEWAY_KEY": "A" * 43}, "is no random key"),
    ("gateway", "GATEWAY_KEY", {"GATEWAY_KEY": "!!!"}, "must be"),
    ("gateway", "CLIENT_KEY", {"CLIENT_KEY": TEXT_KEY}, "is text, no random key"),
    (
        "gateway",
        "ADDRESS_KEY",
        {"GATEWAY_KEY": A_KEY, "ADDRESS_KEY": A_KEY},
        "is the same as QNT9_GATEWAY_KEY",
    ),
    ("verification", "MAIL_KEY", {"MAIL_KEY": "A" * 43}, "is no random key"),
    ("signup", "KAFKA_PASSWORD", {"KAFKA_PASSWORD": "Xq7"}, "is short: at least 12"),
    ("audit", "KAFKA_PASSWORD", {"KAFKA_PASSWORD": "changeme-changeme"}, "is well known"),
    (
        "relay",
        "POSTGRES_DSN",
        {"POSTGRES_DSN": "postgresql://qnt9:postgres@db/qnt9"},
        "its password is short",
    ),
    (
        "watchlist",
        "POSTGRES_DSN",
        {"POSTGRES_DSN": "postgresql://qnt9@db/qnt9"},
        "has no password",
    ),
    ("quotes", "REDIS_URL", {"REDIS_URL": "redis://cache:6379/0"}, "has no password"),
    (
        "accounts",
        "REDIS_URL",
        {"REDIS_URL": "redis://:redis-password-1@cache/0"},
        "its password is well known",
    ),
    (
        "quotes",
        "REDIS_URL",
        {"KAFKA_PASSWORD": A_KEY, "REDIS_URL": f"redis://:{A_KEY}@cache/0"},
        "has the password of QNT9_KAFKA_PASSWORD",
    ),
    (
        "verification",
        "SMTP_URL",
        {"SMTP_URL": "smtps://mailer:changeme@mail.example.com"},
        "its password is short",
    ),
    (
        "verification",
        "SMTP_URL",
        {"SMTP_URL": "smtp://mail.example.com"},
        "QNT9_PLAINTEXT_ALLOWED",
    ),
    ("verification", "MAIL_TRANSPORT", {"MAIL_TRANSPORT": "pigeon"}, "'smtp' or 'sendgrid'"),
    ("verification", "SMTP_URL", {"MAIL_TRANSPORT": "smtp", "SMTP_URL": None}, "is missing"),
    ("verification", "SENDGRID_KEY", {"MAIL_TRANSPORT": "sendgrid"}, "is missing"),
    ("verification", "SENDGRID_KEY", BY_SENDGRID | {"SENDGRID_KEY": ""}, "is missing"),
    ("verification", "SENDGRID_KEY", BY_SENDGRID | {"SENDGRID_KEY": "SG.x"}, "is short"),
    (
        "verification",
        "SENDGRID_KEY",
        BY_SENDGRID | {"SENDGRID_KEY": "SG.your-api-key-here"},
        "is well known",
    ),
    (
        "verification",
        "SENDGRID_KEY",
        BY_SENDGRID | {"SENDGRID_KEY": f"SG.{'x' * 60}"},
        "repeats itself",
    ),
    (
        "verification",
        "SENDGRID_KEY",
        BY_SENDGRID | {"SENDGRID_KEY": f"{A_KEY}\r\nX-Other: 1"},
        "must be one word",
    ),
    (
        "verification",
        "SENDGRID_KEY",
        BY_SENDGRID | {"KAFKA_PASSWORD": A_KEY, "SENDGRID_KEY": A_KEY},
        "has the password of QNT9_KAFKA_PASSWORD",
    ),
    (
        "verification",
        "SENDGRID_URL",
        BY_SENDGRID | {"SENDGRID_URL": "http://api.example.com", "PLAINTEXT_ALLOWED": "true"},
        "must be https",
    ),
    (
        "verification",
        "SENDGRID_URL",
        BY_SENDGRID | {"SENDGRID_URL": "https://user:secret@api.example.com"},
        "without query, fragment or user",
    ),
    ("verification", "SENDGRID_SECONDS", BY_SENDGRID | {"SENDGRID_SECONDS": "0"}, "greater than 0"),
    ("relay", "KAFKA_PROTOCOL", {"KAFKA_PROTOCOL": "SASL_PLAINTEXT"}, "must be SASL_SSL"),
    ("relay", "KAFKA_CA_FILE", {"KAFKA_CA_FILE": "/nowhere.pem"}, "cannot be read"),
    ("audit", "KAFKA_CA_FILE", {"KAFKA_CA_FILE": __file__}, "must hold certificates in PEM"),
    ("quotes", "REDIS_CA_FILE", {"REDIS_CA_FILE": "/nowhere.pem"}, "cannot be read"),
    ("quotes", "REDIS_URL", {"REDIS_URL": f"http://:{A_KEY}@cache/0"}, "must be redis://"),
    ("verification", "SMTP_CA_FILE", {"SMTP_CA_FILE": __file__}, "must hold certificates in PEM"),
    (
        "relay",
        "POSTGRES_DSN",
        {"POSTGRES_DSN": f"postgresql://qnt9:{A_KEY}@db/qnt9?sslmode=verify"},
        "its sslmode must be one of",
    ),
    (
        "relay",
        "POSTGRES_DSN",
        {"POSTGRES_DSN": f"postgresql://qnt9:{A_KEY}@db/qnt9?sslrootcert=/nowhere.pem"},
        "its sslrootcert cannot be read",
    ),
    ("relay", "LOG_LEVEL", {"LOG_LEVEL": "debug"}, "debug is for development"),
    ("relay", "LOG_LEVEL", {"LOG_LEVEL": "loud"}, "debug"),
    ("gateway", "PUBLIC_URL", {"PUBLIC_URL": "http://qnt9.example.com"}, "must be https"),
    ("verification", "PUBLIC_URL", {"PUBLIC_URL": "http://qnt9.example.com"}, "must be https"),
    ("gateway", "CORS_ORIGINS", {"CORS_ORIGINS": "*"}, "name the origins"),
    ("gateway", "CORS_ORIGINS", {"CORS_ORIGINS": "https://a.example.com,null"}, "name the"),
    ("gateway", "CORS_ORIGINS", {"CORS_ORIGINS": "https://*.example.com"}, "no single host"),
    ("gateway", "CORS_ORIGINS", {"CORS_ORIGINS": "https://a.example.com/"}, "is no origin"),
    ("gateway", "CORS_ORIGINS", {"CORS_ORIGINS": "http://a.example.com"}, "must be https"),
    ("gateway", "GATEWAY_QUOTAS", {"GATEWAY_QUOTAS": "nothing=1/2"}, "there is no policy"),
    ("gateway", "LIMITS", {"LIMITS": "off"}, "strict"),
    ("relay", "ACCEPTED_RISKS", {"ACCEPTED_RISKS": "anything"}, "there is no risk 'anything'"),
    ("gateway", "OUTCOMES_KEPT_DAYS", {"OUTCOMES_KEPT_DAYS": "21"}, "or equal to 22"),
    ("relay", "OUTCOMES_KEPT_DAYS", {"OUTCOMES_KEPT_DAYS": "21"}, "or equal to 22"),
    ("relay", "RELAY_OUTBOX_KEPT_DAYS", {"RELAY_OUTBOX_KEPT_DAYS": "0"}, "or equal to 1"),
    ("accounts", "ACCOUNTS_SESSIONS_KEPT_DAYS", {"ACCOUNTS_SESSIONS_KEPT_DAYS": "x"}, "integer"),
    (
        "verification",
        "VERIFICATION_MAILS_KEPT_DAYS",
        {"VERIFICATION_MAILS_KEPT_DAYS": "6"},
        "or equal to 7",
    ),
]


@pytest.mark.parametrize(
    ("role", "named", "changes", "fault"), REFUSED, ids=[f"{r}-{n}-{f}" for r, n, _, f in REFUSED]
)
def test_a_program_does_not_start_with(
    role: str, named: str, changes: Changes, fault: str, credentials: Credentials
) -> None:
    (line,) = faults_of(role, settings_of(role, credentials, **changes))
    assert line.startswith(f"QNT9_{named}: ")
    assert fault in line


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
