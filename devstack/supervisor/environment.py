"""The settings that each role gets: its own, and nothing of another's."""

import os
from collections.abc import Mapping

from devstack.supervisor.credentials import Credentials
from devstack.supervisor.layout import Layout
from devstack.supervisor.options import Options
from devstack.supervisor.ports import LOOPBACK, Ports

OF_THE_MACHINE = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "PYTHONPATH",  # processes run the code that their supervisor runs
)
YAHOO = "https://query1.finance.yahoo.com"

_WORKERS = ("signup", "accounts", "verification", "watchlist", "quotes")
_KEYS: Mapping[str, tuple[str, ...]] = {
    "QNT9_GATEWAY_KEY": ("gateway",),
    "QNT9_ADDRESS_KEY": ("gateway", "signup", "accounts", "verification"),
    "QNT9_CLIENT_KEY": ("gateway", *_WORKERS),
    "QNT9_SIGNUP_SEAL_PUBLIC": ("gateway",),
    "QNT9_SIGNUP_SEAL_PRIVATE": ("signup",),
    "QNT9_ACCOUNTS_SEAL_PUBLIC": ("gateway",),
    "QNT9_ACCOUNTS_SEAL_PRIVATE": ("accounts",),
    "QNT9_VERIFICATION_SEAL_PUBLIC": ("gateway",),
    "QNT9_VERIFICATION_SEAL_PRIVATE": ("verification",),
    "QNT9_TOKEN_PUBLIC_KEY": ("gateway",),
    "QNT9_TOKEN_PRIVATE_KEY": ("accounts",),
    "QNT9_REFRESH_KEY": ("accounts",),
    "QNT9_MAIL_KEY": ("verification",),
    "QNT9_AUDIT_PRIVATE_KEY": ("audit",),
}
_OF_ALL = ("QNT9_LOG_LEVEL", "QNT9_OTLP_ENDPOINT", "QNT9_TRACE_SAMPLE_RATIO")
_OF_SEVERAL: Mapping[str, tuple[str, ...]] = {
    "QNT9_OUTCOMES_KEPT_DAYS": ("gateway", "relay"),
}
_CACHE = ("gateway", *_WORKERS)


def of_machine() -> dict[str, str]:
    return {name: os.environ[name] for name in OF_THE_MACHINE if name in os.environ}


def of_role(role: str, credentials: Credentials, ports: Ports, options: Options) -> dict[str, str]:
    """A role's settings. The caller's QNT9_<ROLE>_… and those of all roles reach it, for tuning.

    So do those that several roles must share, such as QNT9_OUTCOMES_KEPT_DAYS, and the
    gateway's QNT9_CORS_ORIGINS, for a page that is being developed beside the front end.
    """
    own = f"QNT9_{role.upper()}_"
    settings = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(own) or name in _OF_ALL or role in _OF_SEVERAL.get(name, ())
    }
    settings |= {"QNT9_ENVIRONMENT": "development"}
    settings |= kafka_settings(role, credentials, ports)
    settings["QNT9_POSTGRES_DSN"] = dsn(f"qnt9_{role}", credentials, ports)
    settings |= {name: credentials.keys[name] for name, roles in _KEYS.items() if role in roles}
    if role in _CACHE:
        settings["QNT9_REDIS_URL"] = redis_url(credentials, ports)
    match role:
        case "gateway":
            settings["QNT9_PUBLIC_URL"] = f"http://{LOOPBACK}:{ports.gateway()}"
            settings["QNT9_LIMITS"] = options.limits
            others = os.environ.get("QNT9_CORS_ORIGINS", "")
            settings["QNT9_CORS_ORIGINS"] = ",".join(filter(None, (web_url(ports), others)))
        case "verification":
            settings["QNT9_PUBLIC_URL"] = web_url(ports)  # where mailed links lead
            settings["QNT9_SMTP_URL"] = f"smtp://{LOOPBACK}:{ports.smtp}"
            settings["QNT9_MAIL_FROM"] = "QNT9 <no-reply@example.com>"
        case "quotes":
            settings["QNT9_QUOTES_SOURCE"] = options.quotes
            sandbox = f"http://{LOOPBACK}:{ports.exchange}"
            settings["QNT9_YAHOO_URL"] = sandbox if options.quotes == "sandbox" else YAHOO
    return settings


def of_web(ports: Ports) -> dict[str, str]:
    """The front end: addresses, and no credential."""
    level = os.environ.get("QNT9_LOG_LEVEL")
    return {
        "QNT9_ENVIRONMENT": "development",
        "QNT9_INSTANCE": "web",
        "QNT9_HTTP_HOST": LOOPBACK,
        "QNT9_HTTP_PORT": str(ports.web),
        "QNT9_HEALTH_HOST": LOOPBACK,
        "QNT9_HEALTH_PORT": str(ports.web_health),
        "QNT9_PUBLIC_URL": f"http://{LOOPBACK}:{ports.gateway()}",
        "QNT9_WEB_INBOX_URL": f"http://{LOOPBACK}:{ports.inbox}",
        **({"QNT9_LOG_LEVEL": level} if level else {}),
    }


def web_url(ports: Ports) -> str:
    return f"http://{LOOPBACK}:{ports.web}"


def of_operator(credentials: Credentials, ports: Ports) -> dict[str, str]:
    """What the commands of an operator need: the super user of Kafka, the owner of the database."""
    return kafka_settings("operator", credentials, ports) | {
        "QNT9_ENVIRONMENT": "development",
        "QNT9_POSTGRES_DSN": dsn("qnt9_owner", credentials, ports),
        "QNT9_REDIS_URL": redis_url(credentials, ports),
    }


def of_inbox(layout: Layout, ports: Ports) -> dict[str, str]:
    return {
        "QNT9_INBOX_DIR": str(layout.mail),
        "QNT9_INBOX_HTTP_PORT": str(ports.inbox),
        "QNT9_INBOX_SMTP_PORT": str(ports.smtp),
    }


def of_exchange(ports: Ports) -> dict[str, str]:
    return {"QNT9_EXCHANGE_HTTP_PORT": str(ports.exchange)}


def kafka_settings(user: str, credentials: Credentials, ports: Ports) -> dict[str, str]:
    return {
        "QNT9_KAFKA_BOOTSTRAP": f"{LOOPBACK}:{ports.kafka}",
        "QNT9_KAFKA_USERNAME": user,
        "QNT9_KAFKA_PASSWORD": credentials.kafka[user],
        "QNT9_KAFKA_PROTOCOL": "SASL_PLAINTEXT",
        "QNT9_KAFKA_MECHANISM": "SCRAM-SHA-512",
    }


def dsn(user: str, credentials: Credentials, ports: Ports, database: str = "qnt9") -> str:
    return (
        f"postgresql://{user}:{credentials.postgres[user]}@{LOOPBACK}:{ports.postgres}/{database}"
    )


def redis_url(credentials: Credentials, ports: Ports) -> str:
    return f"redis://:{credentials.valkey}@{LOOPBACK}:{ports.valkey}/0"
