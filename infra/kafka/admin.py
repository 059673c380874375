"""The topology on the broker: topics and rights made as `contracts.topics` says, or compared.

This module and `groups` use confluent-kafka: aiokafka's admin client knows no ACLs.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, but not by name
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from contracts.physical_topics import PhysicalTopic, physical_topics
from infra.kafka.operator_client import SECONDS, Operator, UnreachableError
from infra.observability.error_text import describe
from infra.runtime.settings import KafkaSettings

KNOWN_SECONDS = 0.1
ANY_HOST = "*"
GATEWAY = "gateway"


class TopologyError(Exception):
    """The broker could not be asked or changed; the message says what it answered."""


@dataclass(frozen=True)
class Grant:
    """One right of one principal, to what has this name, or to all whose names begin with it."""

    principal: str
    operation: str
    kind: str
    name: str
    pattern: str = "LITERAL"
    host: str = ANY_HOST

    @classmethod
    def of_prefix(cls, principal: str, operation: str, kind: str, prefix: str) -> "Grant":
        """Return the right to everything whose name begins like this."""
        return cls(principal, operation, kind, prefix, pattern="PREFIXED")

    def __str__(self) -> str:
        which = f"{self.kind} {self.name}{'…' if self.pattern == 'PREFIXED' else ''}"
        where = "" if self.host == ANY_HOST else f" from {self.host}"
        return f"{self.principal} {self.operation} {which}{where}"


@dataclass(frozen=True)
class Changes:
    """What the broker lacks, has too much, or has otherwise than the contracts say."""

    missing_topics: tuple[PhysicalTopic, ...] = ()
    settings: tuple[tuple[str, str, str, str], ...] = ()
    """Topic, setting, as it is, as it should be."""
    partitions: tuple[tuple[str, int, int], ...] = ()
    """Topic, as it is, as it should be. Never changed: order is by partition."""
    missing_grants: tuple[Grant, ...] = ()
    surplus_grants: tuple[Grant, ...] = ()

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def lines(self) -> list[str]:
        """Return the changes as lines of text."""
        return [
            *(f"topic {topic.name} is missing" for topic in self.missing_topics),
            *(f"topic {n}: {key} is {was}, not {want}" for n, key, was, want in self.settings),
            *(f"topic {n}: {was} partitions, not {want}" for n, was, want in self.partitions),
            *(f"right missing: {grant}" for grant in self.missing_grants),
            *(f"right too much: {grant}" for grant in self.surplus_grants),
        ]


def wanted_grants(topics: Iterable[PhysicalTopic]) -> set[Grant]:
    """Return who may do what. A right to read or write brings that to describe along."""
    grants: set[Grant] = set()
    for topic in topics:
        grants |= {Grant(writer, "WRITE", "topic", topic.name) for writer in topic.writers}
        for principal, group in topic.readers:
            grants.add(Grant(principal, "READ", "topic", topic.name))
            grants.add(Grant.of_prefix(principal, "READ", "group", group))
        grants |= {
            Grant(broadcast_reader, "READ", "topic", topic.name)
            for broadcast_reader in topic.watchers
        }
        grants |= {
            Grant.of_prefix(writer, "WRITE", "transactional_id", f"{begins}/")
            for writer, begins in topic.transactions
        }
    return grants


def ensure_topology(settings: KafkaSettings) -> Changes:
    """Make the broker as the contracts say. Returns what was changed. Idempotent; blocks."""
    admin = Operator(settings)
    changes = _compare(admin)
    for future in _requests(admin, changes):
        _result(future)
    if changes:
        _wait_until_known(admin)
    return changes


def compare_topology(settings: KafkaSettings) -> Changes:
    """Return what `ensure_topology` would change, and what it cannot. Blocks."""
    return _compare(Operator(settings))


def _compare(admin: Operator) -> Changes:
    wanted = {topic.name: topic for topic in physical_topics()}
    try:
        existing = admin.topics()
    except UnreachableError as error:
        raise TopologyError(f"Kafka does not answer: {error}") from error
    known = {name: topic for name, topic in wanted.items() if name in existing}
    grants, present = wanted_grants(wanted.values()), _present_grants(admin)
    ours = {grant.principal for grant in grants}
    return Changes(
        missing_topics=tuple(topic for name, topic in wanted.items() if name not in existing),
        settings=tuple(_differing_settings(admin, known)),
        partitions=tuple(
            (name, len(existing[name].partitions), topic.partitions)
            for name, topic in known.items()
            if len(existing[name].partitions) != topic.partitions
        ),
        missing_grants=tuple(sorted(grants - present, key=str)),
        surplus_grants=tuple(sorted((g for g in present - grants if g.principal in ours), key=str)),
    )


def _wait_until_known(admin: Operator) -> None:
    """The controller has taken topics and rights; brokers learn of them a moment later."""
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        left = _compare(admin)
        if not (left.missing_topics or left.missing_grants or left.surplus_grants):
            return
        time.sleep(KNOWN_SECONDS)
    raise TopologyError(f"the broker does not show its changes after {SECONDS:.0f} s")


def _requests(admin: AdminClient, changes: Changes) -> Iterable[Any]:
    if changes.missing_topics:
        new = [
            NewTopic(topic.name, topic.partitions, -1, config=_settings_of(topic))
            for topic in changes.missing_topics
        ]
        yield from admin.create_topics(new, request_timeout=SECONDS).values()
    if changes.settings:
        altered = [
            ConfigResource(
                ResourceType.TOPIC,
                name,
                incremental_configs=[
                    ConfigEntry(key, want, incremental_operation=AlterConfigOpType.SET)
                ],
            )
            for name, key, _, want in changes.settings
        ]
        for resource in altered:
            yield from admin.incremental_alter_configs([resource]).values()
    if changes.missing_grants:
        yield from admin.create_acls([binding(each) for each in changes.missing_grants]).values()
    if changes.surplus_grants:
        yield from admin.delete_acls(
            [binding_filter(each) for each in changes.surplus_grants]
        ).values()


def _settings_of(topic: PhysicalTopic) -> dict[str, str]:
    keep = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(keep),
        "max.message.bytes": str(topic.max_message_bytes),
        # Of commands the broker says when it took them: their producer is not believed.
        "message.timestamp.type": "LogAppendTime" if GATEWAY in topic.writers else "CreateTime",
    }


def _differing_settings(
    admin: AdminClient, topics: dict[str, PhysicalTopic]
) -> Iterable[tuple[str, str, str, str]]:
    if not topics:
        return
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
    for resource, future in admin.describe_configs(asked, request_timeout=SECONDS).items():
        entries = _result(future)
        for key, want in _settings_of(topics[resource.name]).items():
            if entries[key].value != want:
                yield resource.name, key, entries[key].value, want


_KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional_id": ResourceType.TRANSACTIONAL_ID,
}
_KIND_NAMES = {kind: name for name, kind in _KINDS.items()}


def _present_grants(admin: AdminClient) -> set[Grant]:
    any_: Any = None
    everything = AclBindingFilter(
        ResourceType.ANY,
        any_,
        ResourcePatternType.ANY,
        any_,
        any_,
        AclOperation.ANY,
        AclPermissionType.ALLOW,
    )
    return {
        Grant(
            acl.principal.removeprefix("User:"),
            acl.operation.name,
            _KIND_NAMES.get(acl.restype, acl.restype.name.lower()),
            acl.name,
            acl.resource_pattern_type.name,
            acl.host,
        )
        for acl in _result(admin.describe_acls(everything, request_timeout=SECONDS))
    }


def binding(grant: Grant) -> AclBinding:
    """Return a right as the ACL to create."""
    return AclBinding(*_description(grant))


def binding_filter(grant: Grant) -> AclBindingFilter:
    """Return a filter that matches the ACL of this right and no other."""
    return AclBindingFilter(*_description(grant))


def _description(grant: Grant) -> tuple[Any, ...]:
    return (
        _KINDS.get(grant.kind) or ResourceType[grant.kind.upper()],
        grant.name,
        ResourcePatternType[grant.pattern],
        f"User:{grant.principal}",
        grant.host,
        AclOperation[grant.operation],
        AclPermissionType.ALLOW,
    )


def _result(future: Any) -> Any:
    try:
        return future.result(timeout=SECONDS)
    except (KafkaException, TimeoutError) as error:
        raise TopologyError(f"Kafka: {describe(error)}") from error
