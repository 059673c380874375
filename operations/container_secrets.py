"""The folder of secrets that compose.yaml mounts, a file each: made once, then the same for life.

The folder is its owner's alone. The files in it may be read by everybody, since a container sees
only those that it is given, and its user is nobody on the host.
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from devstack.supervisor.credentials import Credentials, create
from devstack.supervisor.layout import write_private
from infra.kafka.broker_config import BROKER, OPERATOR, Node, format_arguments
from infra.postgres.privileges import ROLES
from infra.postgres.roles import DATABASE, OWNER

CREDENTIALS = "credentials.json"
"""What everything else follows from; no container is given it."""

MOUNTED = PurePosixPath("/run/secrets")
KAFKA_DATA = PurePosixPath("/var/lib/kafka/data/log")
"""A folder below the volume, whose root may hold what Kafka takes for a broken log."""


@dataclass(frozen=True)
class Hosts:
    """Where containers find each other."""

    kafka: str = "kafka:9092"
    postgres: str = "postgres:5432"
    redis: str = "redis:6379"


def write_secrets(folder: Path, hosts: Hosts) -> list[str]:
    """Every file, from the credentials that are there or new ones; their names."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    kept = folder / CREDENTIALS
    credentials = create()
    if kept.exists():
        credentials = _completed(json.loads(kept.read_text("utf-8")), credentials)
    write_private(kept, json.dumps(credentials.__dict__, indent=2) + "\n")
    files = secret_files(credentials, hosts)
    for name, text in files.items():
        write_private(folder / name, text)
        (folder / name).chmod(0o444)
    return sorted(files)


def _completed(kept: dict[str, Any], new: Credentials) -> Credentials:
    """What was kept, and new ones for roles and keys that have come since."""
    merged = {
        name: value | kept[name] if isinstance(value, dict) else kept[name]
        for name, value in new.__dict__.items()
    }
    return Credentials(**merged)


def secret_files(credentials: Credentials, hosts: Hosts) -> dict[str, str]:
    """What each file says, by its name; compose.yaml says who gets which."""
    files = {setting_of(name): value for name, value in credentials.keys.items()}
    for role in ROLES:
        files[f"{role}_kafka_password"] = credentials.kafka[role]
        files[f"{role}_postgres_dsn"] = _dsn(f"qnt9_{role}", DATABASE, credentials, hosts)
    return files | {
        "redis_url": f"redis://:{credentials.valkey}@{hosts.redis}/0",
        "redis.conf": f"requirepass {credentials.valkey}\n",
        "postgres_password": credentials.postgres["postgres"],
        "admin_postgres_dsn": _dsn("postgres", "postgres", credentials, hosts),
        "owner_postgres_dsn": _dsn(OWNER, DATABASE, credentials, hosts),
        "operator_kafka_password": credentials.kafka[OPERATOR],
        "passwords": json.dumps(
            {"postgres": credentials.roles_of_postgres, "kafka": credentials.roles_of_kafka}
        ),
        "kafka.properties": _node(credentials, hosts).properties(),
        "kafka.format": "\n".join(_format_arguments(credentials)),
    }


def setting_of(name: str) -> str:
    return name.removeprefix("QNT9_").lower()


def _dsn(user: str, database: str, credentials: Credentials, hosts: Hosts) -> str:
    return f"postgresql://{user}:{credentials.postgres[user]}@{hosts.postgres}/{database}"


def _node(credentials: Credentials, hosts: Hosts) -> Node:
    return Node(
        password=credentials.kafka[BROKER],
        data=KAFKA_DATA,
        listens="0.0.0.0:9092",
        advertised=hosts.kafka,
        controller="127.0.0.1:9093",
    )


def _format_arguments(credentials: Credentials) -> list[str]:
    """Whoever must be there before the operator can make the others."""
    first = {user: credentials.kafka[user] for user in (BROKER, OPERATOR)}
    settings = MOUNTED / "kafka.properties"
    return list(format_arguments(credentials.kafka_cluster, settings, first))
