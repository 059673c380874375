import pytest

from contracts.physical_topics import physical_topics
from contracts.topics import TOPICS
from operations.errors import NotAllowedError
from operations.lag import consumers
from operations.replay.guards import check_group, check_source, check_topic

FACTS = [t.name for t in TOPICS if t.name.endswith((".events", ".checkpoints"))]


@pytest.mark.parametrize("topic", [t.name for t in physical_topics() if t.name not in FACTS])
def test_commands_and_dead_letters_are_not_replayed_but_redriven(topic: str) -> None:
    with pytest.raises(NotAllowedError, match="qnt9 dlq redrive"):
        check_source(topic)


@pytest.mark.parametrize("topic", [*FACTS, "mine"])
def test_events_are_replayed_and_so_is_an_earlier_copy(topic: str) -> None:
    check_source(topic)


@pytest.mark.parametrize("topic", [t.name for t in physical_topics()])
def test_nothing_is_copied_into_a_topic_of_the_topology(topic: str) -> None:
    with pytest.raises(NotAllowedError, match=r"read by consumers|into itself"):
        check_topic(topic, "users.events")


@pytest.mark.parametrize("topic", ["", "a topic", "..", "__consumer_offsets", "x" * 250, "mine"])
def test_nor_into_what_cannot_be_a_topic_or_is_the_source(topic: str) -> None:
    with pytest.raises(NotAllowedError):
        check_topic(topic, "mine")


@pytest.mark.parametrize("group", [*(c.group for c in consumers()), "qnt9.ops.replay.x"])
def test_groups_of_the_system_are_not_set(group: str) -> None:
    with pytest.raises(NotAllowedError, match="a group of the system"):
        check_group(group)


def test_a_group_and_a_topic_of_ones_own_are_fine() -> None:
    check_group("qnt9.audit-rebuild")
    check_topic("trial.users", "users.events")
