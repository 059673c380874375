"""Kafka, PostgreSQL and Redis in containers, with the ports and passwords of a system here."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

from testcontainers.core.container import DockerContainer

from devstack.supervisor.credentials import Credentials
from devstack.supervisor.ports import LOOPBACK, Ports
from operations.container_secrets import MOUNTED, Hosts, secret_files
from tests.support.containers.engine import images
from tests.support.stack import ROOT
from tests.support.waiting import wait_until

READY_SECONDS = 90
SCRIPTS = "/etc/qnt9"


@contextmanager
def infrastructure(
    credentials: Credentials, ports: Ports, folder: Path, *, only: str | None = None
) -> Iterator[None]:
    """Up and answering; gone afterwards, with what they kept."""
    hosts = Hosts(
        kafka=f"{LOOPBACK}:{ports.kafka}",
        postgres=f"{LOOPBACK}:{ports.postgres}",
        redis=f"{LOOPBACK}:{ports.valkey}",
    )
    secrets = _written(folder, secret_files(credentials, hosts))
    makers = {"kafka": _kafka, "postgres": _postgres, "redis": _redis}
    with ExitStack() as running:
        for service, make in makers.items():
            if only in {None, service}:
                container, ready = make(secrets, ports)
                running.enter_context(container)
                _wait_for(container, ready)
        yield


def _kafka(secrets: Path, ports: Ports) -> tuple[DockerContainer, list[str]]:
    container = _container("kafka", secrets, ("kafka.properties", "kafka.format"))
    container.with_kwargs(entrypoint=["bash", f"{SCRIPTS}/kafka.sh"])
    _mount(container, ROOT / "infra/containers/kafka.sh", f"{SCRIPTS}/kafka.sh")
    log_settings = f"{SCRIPTS}/log4j2.properties"
    _mount(container, ROOT / "devstack/supervisor/log4j2.properties", log_settings)
    container.with_envs(
        KAFKA_HEAP_OPTS="-Xmx512m",
        KAFKA_LOG4J_OPTS=f"-Dlog4j2.configurationFile={log_settings}",
        LOG_DIR="/tmp/logs",
    )
    _publish(container, 9092, ports.kafka)
    return container, ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9092"]


def _postgres(secrets: Path, ports: Ports) -> tuple[DockerContainer, list[str]]:
    container = _container("postgres", secrets, ("postgres_password",))
    container.with_env("POSTGRES_PASSWORD_FILE", str(MOUNTED / "postgres_password"))
    container.with_command(["postgres", "-cmax_connections=200", "-ctimezone=UTC", "-cfsync=off"])
    _publish(container, 5432, ports.postgres)
    return container, ["pg_isready", "--host=127.0.0.1", "--username=postgres"]


def _redis(secrets: Path, ports: Ports) -> tuple[DockerContainer, list[str]]:
    container = _container("redis", secrets, ("redis.conf",))
    container.with_command(["redis-server", str(MOUNTED / "redis.conf"), "--appendonly", "yes"])
    _publish(container, 6379, ports.valkey)
    return container, ["redis-cli", "ping"]


def _container(service: str, secrets: Path, names: tuple[str, ...]) -> DockerContainer:
    container = DockerContainer(images()[service])
    for name in names:
        _mount(container, secrets / name, str(MOUNTED / name))
    return container


def _mount(container: DockerContainer, source: Path, target: str) -> None:
    container.with_volume_mapping(str(source), target, "ro")


def _publish(container: DockerContainer, inside: int, outside: int) -> None:
    """On loopback alone, which the library's own method cannot say."""
    cast("dict[str, Any]", container.ports)[f"{inside}/tcp"] = (LOOPBACK, outside)


def _written(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(mode=0o700)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o444)
    return folder


def _wait_for(container: DockerContainer, ready: list[str]) -> None:
    wait_until(
        lambda: container.exec(ready).exit_code == 0,
        seconds=READY_SECONDS,
        otherwise=lambda: str(container.get_logs()),
    )
