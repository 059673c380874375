"""Passwords and keys: made when a data folder is first used, then the same for its whole life."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from contracts import base64url
from devstack.supervisor.layout import Layout, write_private
from infra.postgres.privileges import ROLES

KAFKA_USERS = ("broker", "operator", *ROLES)
DATABASE_USERS = ("postgres", "qnt9_owner", *(f"qnt9_{role}" for role in ROLES))

_SHARED_KEYS = (
    "QNT9_GATEWAY_KEY",
    "QNT9_ADDRESS_KEY",
    "QNT9_CLIENT_KEY",
    "QNT9_MAIL_KEY",
    "QNT9_REFRESH_KEY",
)
_SEALED_ROLES = ("SIGNUP", "ACCOUNTS", "VERIFICATION")


@dataclass(frozen=True)
class Credentials:
    kafka: dict[str, str]
    postgres: dict[str, str]
    valkey: str
    kafka_cluster: str
    keys: dict[str, str]
    """By the name of the setting that carries it."""

    @property
    def missing(self) -> dict[str, str]:
        """Fresh keys for settings that came after this data folder was made."""
        return {n: key for n, key in generate_keys().items() if n not in self.keys}

    @property
    def roles_of_postgres(self) -> dict[str, str]:
        """All but the superuser, who is there before them."""
        return {role: word for role, word in self.postgres.items() if role != "postgres"}

    @property
    def roles_of_kafka(self) -> dict[str, str]:
        """All but the broker and its operator, who are there before them."""
        return {role: self.kafka[role] for role in ROLES}


def generate_keys() -> dict[str, str]:
    """A complete set of keys for a new system, by setting."""
    keys = {name: _text(secrets.token_bytes(32)) for name in _SHARED_KEYS}
    for role in _SEALED_ROLES:
        opener = X25519PrivateKey.generate()
        keys[f"QNT9_{role}_SEAL_PRIVATE"] = _text(opener.private_bytes_raw())
        keys[f"QNT9_{role}_SEAL_PUBLIC"] = _text(opener.public_key().public_bytes_raw())
    for use in ("TOKEN", "AUDIT"):
        signer = Ed25519PrivateKey.generate()
        keys[f"QNT9_{use}_PRIVATE_KEY"] = _text(signer.private_bytes_raw())
        keys[f"QNT9_{use}_PUBLIC_KEY"] = _text(signer.public_key().public_bytes_raw())
    return keys


def load_or_create(layout: Layout, announce: Callable[[str], None] | None = None) -> Credentials:
    """Those of the folder. Keys that a newer version needs are added, and that is said."""
    if layout.secrets.exists():
        found = Credentials(**json.loads(layout.secrets.read_text("utf-8")))
        if missing := found.missing:
            found.keys.update(missing)
            _save(layout, found)
            if announce:
                announce(f"made keys that this data folder did not have: {', '.join(missing)}")
        return found
    credentials = create()
    _save(layout, credentials)
    return credentials


def create() -> Credentials:
    """New ones, kept nowhere."""
    return Credentials(
        kafka={user: secrets.token_urlsafe(24) for user in KAFKA_USERS},
        postgres={user: secrets.token_urlsafe(24) for user in DATABASE_USERS},
        valkey=secrets.token_urlsafe(24),
        kafka_cluster=_cluster_id(),
        keys=generate_keys(),
    )


def _save(layout: Layout, credentials: Credentials) -> None:
    write_private(layout.secrets, json.dumps(credentials.__dict__, indent=2) + "\n")


def _cluster_id() -> str:
    """16 random bytes, as Kafka wants them; a dash in front would read as an option."""
    while (text := _text(secrets.token_bytes(16))).startswith("-"):
        pass
    return text


def _text(raw: bytes) -> str:
    return base64url.encode(raw)
