"""Who may do what on the broker."""

from contracts.physical_topics import physical_topics
from contracts.topics import AUDIT_CHECKPOINTS, OPS_EVENTS, TOPICS
from infra.kafka.admin import Changes, Grant, wanted_grants

GRANTS = wanted_grants(physical_topics())


def written_by(principal: str) -> set[str]:
    return {
        each.name
        for each in GRANTS
        if (each.principal, each.operation, each.kind) == (principal, "WRITE", "topic")
    }


def test_the_gateway_writes_commands_and_nothing_else() -> None:
    assert written_by("gateway") == {topic.name for topic in TOPICS if topic.producer == "gateway"}
    assert not any(name.endswith(".events") for name in written_by("gateway"))


def test_events_are_written_by_the_relay_alone_but_for_the_operators_own() -> None:
    events = {topic.name for topic in TOPICS if topic.name.endswith(".events")}
    assert written_by("relay") == events - {OPS_EVENTS.name}
    assert written_by("operator") == {OPS_EVENTS.name}
    writers = {
        each.principal for each in GRANTS if each.operation == "WRITE" and each.name in events
    }
    assert writers == {"relay", "operator"}


def test_a_worker_writes_its_own_dead_letters_only_and_the_audit_its_checkpoints() -> None:
    for principal in {each.principal for each in GRANTS} - {"gateway", "relay", "operator"}:
        others = {n for n in written_by(principal) if not n.endswith(".dlq")}
        assert others == ({AUDIT_CHECKPOINTS.name} if principal == "audit" else set())


def test_anyone_who_reads_a_topic_in_a_group_may_commit_in_it_and_who_watches_has_none() -> None:
    watchers = {"gateway"}
    readers = {each.principal for each in GRANTS if each.operation == "READ"} - watchers
    in_groups = {each.principal for each in GRANTS if each.kind == "group"}
    assert readers == in_groups


def test_a_worker_has_transactions_of_its_own_consumers_alone() -> None:
    expected = {
        (consumer.principal, f"{consumer.group}/")
        for topic in TOPICS
        for consumer in topic.consumers
    }
    found = {(g.principal, g.name) for g in GRANTS if g.kind == "transactional_id"}
    assert found == expected


def test_a_right_says_what_it_holds_for() -> None:
    right = Grant.of_prefix("gateway", "WRITE", "topic", "a.")
    assert str(right) == "gateway WRITE topic a.…"
    there = Grant("gateway", "WRITE", "topic", "a.commands", host="192.0.2.7")
    assert str(there) == "gateway WRITE topic a.commands from 192.0.2.7"


def test_changes_report_what_differs_line_by_line() -> None:
    changes = Changes(
        partitions=(("a.commands", 1, 6),),
        surplus_grants=(Grant("gateway", "WRITE", "topic", "a.events"),),
    )
    assert changes
    assert changes.lines() == [
        "topic a.commands: 1 partitions, not 6",
        "right too much: gateway WRITE topic a.events",
    ]
    assert not Changes()
