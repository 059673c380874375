"""A real Kafka that takes clients over TLS alone, and shows one of its listeners' wrong names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from devstack.supervisor.components import Say
from devstack.supervisor.credentials import Credentials, load_or_create
from devstack.supervisor.kafka import Kafka
from devstack.supervisor.layout import Layout, cache_folder
from devstack.supervisor.ports import LOOPBACK, Ports
from devstack.supervisor.process import Process
from devstack.supervisor.records import Records
from infra.runtime.settings import KafkaSettings
from tests.support.infra.tls.authority import Authority, Certificate
from tests.support.stack import PORT_BASE

PORTS = Ports(PORT_BASE + 700)
OF_ANOTHER_HOST = PORTS.kafka + 2


@dataclass(frozen=True)
class TlsBroker:
    """How to reach it."""

    credentials: Credentials
    authority: Path

    def settings(
        self,
        user: str = "operator",
        *,
        port: int = PORTS.kafka,
        host: str = LOOPBACK,
        protocol: str = "SASL_SSL",
        authority: Path | None = None,
        password: str | None = None,
    ) -> KafkaSettings:
        return KafkaSettings.model_validate(
            {
                "kafka_bootstrap": f"{host}:{port}",
                "kafka_username": user,
                "kafka_password": SecretStr(password or self.credentials.kafka[user]),
                "kafka_protocol": protocol,
                "kafka_ca_file": authority or self.authority,
            }
        )


@asynccontextmanager
async def running_broker(
    folder: Path, authority: Authority, certificate: Certificate, of_another_host: Certificate
) -> AsyncIterator[TlsBroker]:
    """Up and ready; down again afterwards."""
    layout = Layout(folder)
    layout.create()
    credentials = load_or_create(layout)
    kafka = Kafka(layout, credentials, PORTS, cache_folder() / "m2")

    def prepare(say: Say) -> None:
        kafka.prepare(say)
        with kafka.settings.open("a", encoding="utf-8") as settings:
            settings.write(_over_tls(authority, certificate, of_another_host))

    part = replace(kafka.part(), prepare=prepare, probe=_listens)
    process = Process(part, layout, Records(layout), lambda _: None)
    try:
        await process.start()
        yield TlsBroker(credentials, authority.file)
    finally:
        await process.stop()


async def _listens() -> bool:
    """Whether the broker takes connections: the probe of the embedded system asks in clear."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, PORTS.kafka)
    except OSError:
        return False
    writer.close()
    return True


def _over_tls(authority: Authority, certificate: Certificate, of_another_host: Certificate) -> str:
    """What changes of the settings; of two lines for one setting, Kafka takes the later."""
    client, other = f"{LOOPBACK}:{PORTS.kafka}", f"{LOOPBACK}:{OF_ANOTHER_HOST}"
    values = {
        "listeners": (
            f"CLIENT://{client},OTHER://{other},CONTROLLER://{LOOPBACK}:{PORTS.kafka_controller}"
        ),
        "advertised.listeners": f"CLIENT://{client},OTHER://{other}",
        "listener.security.protocol.map": (
            "CLIENT:SASL_SSL,OTHER:SASL_SSL,CONTROLLER:SASL_PLAINTEXT"
        ),
        "listener.name.other.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": _one_line(authority.file),
        **_keystore("client", certificate),
        **_keystore("other", of_another_host),
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _keystore(listener: str, certificate: Certificate) -> dict[str, str]:
    prefix = f"listener.name.{listener}.ssl.keystore"
    return {
        f"{prefix}.type": "PEM",
        f"{prefix}.certificate.chain": _one_line(certificate.chain),
        f"{prefix}.key": _one_line(certificate.key),
    }


def _one_line(pem: Path) -> str:
    return pem.read_text("ascii").strip().replace("\n", "\\n")
