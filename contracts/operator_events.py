"""Events of what operators did, on `ops.events`."""

from uuid import UUID

from pydantic import Field

from contracts.events import Event


class OpsEvent(Event):
    """An action of an operator. `operator` is a user name on the machine where it ran."""

    operator: str
    reason: str


class OpsReplayed(OpsEvent):
    """A range of a topic was replayed to another topic or to a new group.

    `ranges` has partition, first offset and exclusive end offset. `records` is the number of
    selected records.
    """

    topic: str
    destination: str
    ranges: list[tuple[int, int, int]]
    records: int
    only_type: str | None = None
    only_key: str | None = None


class OpsRedriven(OpsEvent):
    """Dead letters were sent again to the consumer that failed."""

    dead_letters: str
    offsets: list[int]
    message_ids: list[UUID]


class OpsDiscarded(OpsEvent):
    """Dead letters were discarded. Commands among them have failed permanently."""

    dead_letters: str
    offsets: list[int]
    message_ids: list[UUID]


class OpsRecovered(OpsEvent):
    """A restored database was brought up to date from Kafka, or Kafka from the audit log.

    `groups` has the consumer groups that were moved back, with the number of messages that each
    executes again. `events` is the number of published events that the database had lost.
    `refilled` has topic, partition, first offset and exclusive end offset of ranges in which events
    were published again from the audit log, with their former ids, keys, content and times.
    """

    recovery_id: UUID
    groups: dict[str, int]
    events: int
    refilled: list[tuple[str, int, int, int]] = Field(default_factory=list)


class OpsConsumerResumed(OpsEvent):
    """An operator ended the pause of a consumer whose handler had failed for many messages."""

    consumer: str
    was_paused_for: str


class OpsConsumerInstructed(OpsEvent):
    """An operator instructed a consumer not to execute some of its waiting records.

    `action` is `skip` (commands among them fail) or `set-aside` (they become dead letters). More
    values may follow. `ranges` has topic, partition, first offset and exclusive end offset.
    `records` is the number of records in them.
    """

    consumer: str
    action: str
    ranges: list[tuple[str, int, int, int]]
    records: int
    only_type: str | None = None
    only_key: str | None = None
