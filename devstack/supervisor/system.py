"""The system: which parts there are, and the steps between infrastructure and processes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import find_spec

from pydantic import SecretStr

from devstack.supervisor.components import Part, parts_of_ours
from devstack.supervisor.credentials import Credentials
from devstack.supervisor.environment import dsn
from devstack.supervisor.kafka import Kafka
from devstack.supervisor.layout import Layout, cache_folder
from devstack.supervisor.options import Options
from devstack.supervisor.ports import LOOPBACK, Ports
from devstack.supervisor.postgres import Postgres
from devstack.supervisor.process import State
from devstack.supervisor.valkey import Valkey
from infra.kafka.admin import ensure_topology
from infra.postgres.migrate import migrate
from infra.postgres.roles import ensure_database
from infra.runtime.settings import KafkaSettings


@dataclass
class Step:
    """Something to be done once while coming up; says in a few words what it did."""

    name: str
    after: tuple[str, ...]
    take: Callable[[], Awaitable[str]]
    state: State = State.WAITING
    detail: str = ""
    took: float | None = None


def parts_of_system(
    layout: Layout, credentials: Credentials, ports: Ports, options: Options
) -> list[Part]:
    infrastructure = [
        Kafka(layout, credentials, ports, cache_folder() / "m2").part(),
        Postgres(layout, credentials, ports).part(),
        Valkey(layout, credentials, ports).part(),
    ]
    ours = parts_of_ours(layout, credentials, ports, options)
    return infrastructure + [part for part in ours if _exists(part)]


def steps_of_system(credentials: Credentials, ports: Ports) -> list[Step]:
    async def migrations() -> str:
        superuser = dsn("postgres", credentials, ports, database="postgres")
        await ensure_database(superuser, credentials.roles_of_postgres)
        applied = await migrate(dsn("qnt9_owner", credentials, ports))
        return f"{len(applied)} applied" if applied else "nothing to apply"

    async def topics() -> str:
        changes = await asyncio.to_thread(ensure_topology, operator(credentials, ports))
        made, granted = len(changes.missing_topics), len(changes.missing_grants)
        return f"{made} created, {granted} rights" if changes else "nothing to change"

    return [Step("migrations", ("postgres",), migrations), Step("topics", ("kafka",), topics)]


def operator(credentials: Credentials, ports: Ports) -> KafkaSettings:
    return KafkaSettings(
        kafka_protocol="SASL_PLAINTEXT",
        kafka_bootstrap=f"{LOOPBACK}:{ports.kafka}",
        kafka_username="operator",
        kafka_password=SecretStr(credentials.kafka["operator"]),
    )


def _exists(part: Part) -> bool:
    """Whether the process has been written yet."""
    module = part.command[-1]
    if "-m" not in part.command:
        return True
    try:
        return find_spec(f"{module}.__main__") is not None
    except ModuleNotFoundError:
        return False
