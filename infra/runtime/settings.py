"""Settings from the environment, validated whole before anything starts.

A secret may come from a file: `QNT9_POSTGRES_DSN_FILE=/run/secrets/dsn`.
"""

import binascii
import os
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts import base64url
from contracts.topics import MIN_REMEMBERED
from infra.runtime import secret_policy
from infra.runtime.tls import CaFile, certificates
from infra.runtime.unsafe_settings import PLAINTEXT, Violation, accepted, read_risks

PREFIX = "QNT9_"
KEY_BYTES = 32
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class SettingsError(Exception):
    """Every fault of the environment at once, one line each, without the values."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _key(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        key = base64url.decode(str(value))
    except (binascii.Error, ValueError) as error:
        raise ValueError("must be base64url") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"must be {KEY_BYTES} bytes, has {len(key)}")
    return key


Key = Annotated[bytes, BeforeValidator(_key), Field(repr=False)]
"""32 random bytes, base64url."""


LogLevel = Annotated[
    Literal["debug", "info", "warning", "error", "critical"],
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
]


def _trust_of_dsn(value: SecretStr) -> SecretStr:
    """The client would find these faults only when it connects, and take them for an outage."""
    query = parse_qs(urlsplit(value.get_secret_value()).query)
    if any(mode not in SSL_MODES for mode in query.get("sslmode", ())):
        raise ValueError(f"its sslmode must be one of {', '.join(SSL_MODES)}")
    for path in query.get("sslrootcert", ()):
        try:
            certificates(Path(path))
        except ValueError as error:
            raise ValueError(f"its sslrootcert {error}") from error
    return value


def _cache(value: SecretStr) -> SecretStr:
    url = urlsplit(value.get_secret_value())
    if url.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("must be redis://[user]:password@host[:port][/number] or rediss://…")
    _ = url.port  # raises for what is no port
    return value


def _otlp(value: str) -> str:
    url = urlsplit(value)
    if value and (url.scheme not in ("http", "https") or not url.hostname):
        raise ValueError("must be http://host:port or https://host:port")
    if "@" in url.netloc or url.query or url.fragment:
        raise ValueError("must have no user, query or fragment")
    _ = url.port  # raises for what is no port
    return value


class Settings(BaseSettings):
    """The base of every group of settings: the same prefix, frozen, values never in errors."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )


class ProcessSettings(Settings):
    """What every process of ours needs."""

    environment: Literal["development", "staging", "production"] = "production"
    instance: str = "unnamed"
    log_level: LogLevel = "info"
    plaintext_allowed: bool = False
    """Outside development: servers without TLS, where the network itself is private."""
    accepted_risks: Annotated[str, AfterValidator(read_risks)] = ""
    """Outside development: unsafe settings that are wanted, by their names in `unsafe_settings`."""
    health_host: str = "127.0.0.1"
    health_port: int = 0
    otlp_endpoint: Annotated[str, AfterValidator(_otlp)] = ""
    """Where spans are sent, as http(s)://host:port; nothing is traced without it."""
    otlp_ca_file: CaFile | None = None
    trace_sample_ratio: float = Field(default=0.01, ge=0.0, le=1.0)
    """Of the traces that begin here; others are recorded when their parent is."""

    @classmethod
    def violations(cls, given: Mapping[str, str]) -> Iterable[Violation]:
        """Return unsafe settings that this process alone has. `given` are the values, unread."""
        del given
        return ()

    @property
    def risks(self) -> list[str]:
        """Return the names of what is unsafe and accepted outside development."""
        if self.environment == "development":
            return []
        names = {"accepted_risks": self.accepted_risks}
        return sorted(accepted(names) | (PLAINTEXT if self.plaintext_allowed else set()))

    @classmethod
    def load(cls) -> Self:
        """Read the settings from the environment and the files it names. Raises `SettingsError`."""
        return load(cls)


class KafkaSettings(Settings):
    """How to reach the broker, as which principal."""

    kafka_bootstrap: str
    kafka_username: str
    kafka_password: SecretStr
    kafka_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_SSL"
    kafka_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_ca_file: CaFile | None = None


class PostgresSettings(Settings):
    """How to reach the database, as which role."""

    postgres_dsn: Annotated[SecretStr, AfterValidator(_trust_of_dsn)]
    postgres_pool_max: int = Field(default=8, ge=1, le=100)


class RedisSettings(Settings):
    """How to reach the cache server."""

    redis_url: Annotated[SecretStr, AfterValidator(_cache)]
    redis_ca_file: CaFile | None = None

    @field_validator("redis_ca_file")
    @classmethod
    def _has_use(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        url = info.data.get("redis_url")
        if file and url and urlsplit(url.get_secret_value()).scheme != "rediss":
            raise ValueError("needs rediss:// in QNT9_REDIS_URL")
        return file


class OutcomeSettings(Settings):
    """How long it is known what became of a command: the same for gateways and relays."""

    outcomes_kept_days: int = Field(default=30, ge=MIN_REMEMBERED.days, le=3_650)

    @property
    def outcomes_kept(self) -> timedelta:
        """How long outcomes of commands can be asked for."""
        return timedelta(days=self.outcomes_kept_days)


def _public_keys(value: str) -> str:
    for text in value.split(","):
        _key(text.strip())
    return value


class AuditKeys(Settings):
    """What the checkpoints of the audit log are checked with."""

    audit_public_key: Annotated[str, AfterValidator(_public_keys)]
    """One key, or with commas the current one and those before it."""

    @property
    def public_keys(self) -> list[bytes]:
        """Return the keys with which checkpoints may have been signed, 32 bytes each."""
        return [_key(text.strip()) for text in self.audit_public_key.split(",")]


class BusSettings(ProcessSettings, KafkaSettings, PostgresSettings):
    """What every process between Kafka and Postgres needs; relay and audit need no more."""


class WorkerSettings(BusSettings, RedisSettings):
    """What every worker that handles commands needs; slices add their own keys."""

    client_key: Key


S = TypeVar("S", bound=Settings)


def load(kind: type[S]) -> S:
    """Return settings of one kind. Raises `SettingsError` that names every fault."""
    given, faults = _from_files()
    settings = None
    try:
        settings = kind(**given)
    except ValidationError as error:
        faults += [_fault(e) for e in error.errors(include_input=False)]
    named = {fault.partition(":")[0] for fault in faults}
    faults += [doubt for doubt in _doubts(kind, given) if doubt.partition(":")[0] not in named]
    if faults or settings is None:
        raise SettingsError(faults)
    return settings


def _doubts(kind: type[Settings], from_files: dict[str, Any]) -> list[str]:
    """Of a process; an operator at a terminal may connect as they like."""
    if not issubclass(kind, ProcessSettings):
        return []
    names = list(kind.model_fields)
    given = {name: os.environ.get(f"{PREFIX}{name.upper()}", "") for name in names} | from_files
    keys = (name for name in names if _is_key(kind, name))
    found = secret_policy.secret_violations(names, keys, given, kind.violations(given))
    of_setting: dict[str, list[str]] = {}
    for name, fault in found:
        of_setting.setdefault(name, []).append(fault)
    return [f"{PREFIX}{name.upper()}: {'; '.join(each)}" for name, each in of_setting.items()]


def _is_key(kind: type[Settings], name: str) -> bool:
    metadata = kind.model_fields[name].metadata
    return any(isinstance(each, BeforeValidator) and each.func is _key for each in metadata)


def _from_files() -> tuple[dict[str, Any], list[str]]:
    given: dict[str, Any] = {}
    faults: list[str] = []
    for variable, path in os.environ.items():
        name = re.fullmatch(rf"{PREFIX}([A-Z0-9_]+)_FILE", variable)
        if name is None or variable.endswith("_CA_FILE"):
            continue
        try:
            given[name[1].lower()] = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            faults.append(f"{variable}: cannot be read: {error.strerror}")
    return given, faults


def _fault(error: Any) -> str:
    text: str = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:  # of several settings together: the text names them
        return text
    name = PREFIX + "_".join(str(part) for part in error["loc"]).upper()
    return f"{name}: {'is missing' if error['type'] == 'missing' else text}"
