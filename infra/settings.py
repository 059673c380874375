"""Settings from the environment, validated whole before anything starts.

A secret may come from a file: `QNT9_POSTGRES_DSN_FILE=/run/secrets/dsn`.
"""

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "QNT9_"
KEY_BYTES = 32


class SettingsError(Exception):
    """Every fault of the environment at once, one line each, without the values."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _key(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        key = base64.urlsafe_b64decode(str(value) + "=" * (-len(str(value)) % 4))
    except (binascii.Error, ValueError) as error:
        raise ValueError("must be base64url") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"must be {KEY_BYTES} bytes, has {len(key)}")
    if len(set(key)) < KEY_BYTES // 4:
        raise ValueError("is no random key")
    return key


Key = Annotated[bytes, BeforeValidator(_key), Field(repr=False)]
"""32 random bytes, base64url."""


class Settings(BaseSettings):
    """The base of every group of settings: the same prefix, frozen, values never in errors."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )


class ProcessSettings(Settings):
    """What every process of ours needs."""

    environment: Literal["development", "production"] = "production"
    instance: str = "unnamed"
    log_level: str = "info"
    health_host: str = "127.0.0.1"
    health_port: int = 0

    @classmethod
    def load(cls) -> Self:
        """From the environment and the files it names. Raises `SettingsError`."""
        return load(cls)


class KafkaSettings(Settings):
    """How to reach the broker, as which principal."""

    kafka_bootstrap: str
    kafka_username: str
    kafka_password: SecretStr
    kafka_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_PLAINTEXT"
    kafka_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_ca_file: Path | None = None


class PostgresSettings(Settings):
    """How to reach the database, as which role."""

    postgres_dsn: SecretStr
    postgres_pool_max: int = Field(default=8, ge=1, le=100)


class RedisSettings(Settings):
    """How to reach the cache server."""

    redis_url: SecretStr


class BusSettings(ProcessSettings, KafkaSettings, PostgresSettings):
    """What every process between Kafka and Postgres needs; relay and audit need no more."""


class WorkerSettings(BusSettings, RedisSettings):
    """What every worker that handles commands needs; slices add their own keys."""

    client_key: Key


S = TypeVar("S", bound=Settings)


def load(kind: type[S]) -> S:
    """Settings of one kind. Raises `SettingsError` that names every fault."""
    given, faults = _from_files()
    try:
        settings = kind(**given)
    except ValidationError as error:
        faults += [_fault(e) for e in error.errors(include_input=False)]
        raise SettingsError(faults) from None
    if faults:
        raise SettingsError(faults)
    return settings


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
    name = PREFIX + "_".join(str(part) for part in error["loc"]).upper()
    return f"{name}: {'is missing' if error['type'] == 'missing' else error['msg']}"
