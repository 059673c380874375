from contracts.message import Command, Event
from contracts.physical_topics import physical_topics
from contracts.topics import (
    AUDIT,
    AUDIT_CHECKPOINTS,
    CARRIED_BY,
    MAX_DEAD_LETTER_BYTES,
    MESSAGES,
    SIGNIN,
    TOPICS,
    USERS_EVENTS,
    topics_of,
)

PHYSICAL = {topic.name: topic for topic in physical_topics()}


def test_types_are_named_after_their_classes() -> None:
    assert MESSAGES["qnt9.user.signed_up.v1"].__name__ == "UserSignedUp"
    assert MESSAGES["qnt9.command.add_to_watchlist.v1"].__name__ == "AddToWatchlist"


def test_commands_and_events_have_topics_of_their_own() -> None:
    for message, topic in CARRIED_BY.items():
        expected, suffix = (
            (Command, "commands") if topic.producer == "gateway" else (Event, "events")
        )
        assert issubclass(message, expected)
        assert topic is AUDIT_CHECKPOINTS or topic.name.endswith(f".{suffix}")


def test_audit_reads_every_event_topic_and_writes_beside_them() -> None:
    assert AUDIT_CHECKPOINTS not in topics_of(AUDIT)
    assert {t.name for t in topics_of(AUDIT)} == {
        t.name for t in TOPICS if t.name.endswith(".events")
    }


def test_each_consumer_of_a_topic_has_a_redrive_and_a_dead_letter_topic() -> None:
    for topic in TOPICS:
        for consumer in topic.consumers:
            redrive = PHYSICAL[f"{topic.name}.{consumer.name}.redrive"]
            assert redrive.readers == {(consumer.principal, consumer.group)}
            dead_letters = PHYSICAL[f"{topic.name}.{consumer.name}.dlq"]
            assert dead_letters.writers == {consumer.principal}
            assert dead_letters.max_message_bytes == MAX_DEAD_LETTER_BYTES


def test_only_events_are_watched_and_own_dead_letters() -> None:
    watched = {topic.name: topic.watchers for topic in PHYSICAL.values() if topic.watchers}
    for topic in TOPICS:
        for consumer in topic.consumers:
            assert watched.pop(topic.dead_letters(consumer)) == {consumer.principal}
    assert watched == dict.fromkeys(
        ("users.events", "watchlists.events", "quotes.events"), frozenset({"gateway"})
    )


def test_a_group_belongs_to_the_process_that_runs_it() -> None:
    assert PHYSICAL["signin.commands"].readers == {("accounts", "qnt9.signin")}
    assert SIGNIN.principal == "accounts"


def test_events_are_kept_and_commands_are_not() -> None:
    assert PHYSICAL[USERS_EVENTS.name].retention is None
    assert all(t.retention for t in TOPICS if t.producer == "gateway")
