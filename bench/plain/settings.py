"""The settings of a plain service, and the figures it shares with the system."""

import json
import os
from base64 import urlsafe_b64decode
from dataclasses import asdict, dataclass
from typing import Self

VARIABLE = "QNT9_BENCH_PLAIN"


@dataclass(frozen=True)
class PlainSettings:
    """One JSON value in the environment: these services exist for one run of the benchmark."""

    dsn: str
    redis_url: str
    public_key_text: str
    private_key_text: str
    refresh_key_text: str
    smtp_host: str
    smtp_port: int
    pool: int
    kafka_bootstrap: str = ""
    kafka_password: str = ""
    """Of the broker's operator, for the service that publishes events."""

    @property
    def public_key(self) -> bytes:
        return decoded(self.public_key_text)

    @property
    def private_key(self) -> bytes:
        return decoded(self.private_key_text)

    @property
    def refresh_key(self) -> bytes:
        return decoded(self.refresh_key_text)

    def to_environment(self) -> dict[str, str]:
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def load(cls) -> Self:
        return cls(**json.loads(os.environ[VARIABLE]))


def decoded(text: str) -> bytes:
    """The bytes of a key."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
