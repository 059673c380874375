"""The configuration of a cluster of one KRaft node, with SCRAM users and ACLs.

More nodes have settings of their own; docs/deployment.md says what must stay as it is here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

BROKER, OPERATOR = "broker", "operator"
MAX_RECORD_BYTES = 6 * 1024 * 1024


@dataclass(frozen=True)
class Node:
    """One broker, which is also the controller, and where its listeners are."""

    password: str
    """The broker's own."""
    data: PurePath
    listens: str
    """Where clients connect, host and port."""
    advertised: str
    """The address that is advertised to clients."""
    controller: str
    """Where the node meets itself; nobody else needs to reach it."""

    def properties(self) -> str:
        """Return the content of its `server.properties`."""
        return "".join(f"{name}={value}\n" for name, value in self._values().items())

    def _values(self) -> dict[str, object]:
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        login = f'username="{BROKER}" password="{self.password}"'
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{self.controller}",
            "listeners": f"CLIENT://{self.listens},CONTROLLER://{self.controller}",
            "advertised.listeners": f"CLIENT://{self.advertised}",
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
            "controller.listener.names": "CONTROLLER",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.client.scram-sha-512.sasl.jaas.config": f"{scram} {login};",
            "listener.name.controller.plain.sasl.jaas.config": (
                f'{plain} {login} user_{BROKER}="{self.password}";'
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{BROKER};User:{OPERATOR}",
            "allow.everyone.if.no.acl.found": "false",
            "auto.create.topics.enable": "false",
            "log.dirs": self.data,
            "message.max.bytes": MAX_RECORD_BYTES,
            "replica.fetch.max.bytes": MAX_RECORD_BYTES,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # A broker that was killed may come back as soon as the controller has missed it.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
        }


def format_arguments(
    cluster: str, settings: PurePath, passwords: Mapping[str, str]
) -> Iterable[str]:
    """Yield the arguments of Kafka's storage tool, one a line of the file it reads as `@file`."""
    yield from ("format", "--cluster-id", cluster)
    yield from ("--config", str(settings))
    for user, password in passwords.items():
        yield from ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")
