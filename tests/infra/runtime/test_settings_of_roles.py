"""What each program refuses to start with, asked as `qnt9 config check` asks it."""

import pytest

from devstack.supervisor.credentials import Credentials, load_or_create
from devstack.supervisor.layout import Layout
from infra.postgres.privileges import ROLES
from tests.support.infra.role_settings import (
    BY_SENDGRID,
    Changes,
    faults_of,
    faults_of_program,
    settings_of,
)


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    layout = Layout(tmp_path_factory.mktemp("data"))
    layout.create()
    return load_or_create(layout)


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
