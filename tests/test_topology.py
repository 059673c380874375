"""The topology against the code: every command has its handler, every slice says what it does."""

import importlib
import pkgutil
from types import ModuleType

import pytest

from contracts.physical_topics import physical_topics
from contracts.topics import AUDIT, CARRIED_BY, TOPICS, Consumer, topics_of

SLICE_OF = {
    "signup": "workers.signup",
    "signin": "workers.accounts",
    "accounts": "workers.accounts",
    "passwords": "workers.accounts",
    "verification": "workers.verification",
    "verification-mails": "workers.notifications",
    "watchlist": "workers.watchlist",
    "quotes": "workers.quotes",
    "audit": "workers.audit",
}
CONSUMERS = sorted({c for t in TOPICS for c in t.consumers}, key=lambda c: c.name)
EMITTING = ("signup", "accounts", "verification", "notifications", "watchlist", "quotes")


def _handles(package: str) -> ModuleType:
    return importlib.import_module(f"{package}.handlers")


@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda c: c.name)
def test_a_consumer_handles_all_that_its_topics_carry(consumer: Consumer) -> None:
    carried = {message for topic in topics_of(consumer) for message in topic.carries}
    if consumer is AUDIT:
        assert not _handles(SLICE_OF["audit"]).HANDLES.keys() & carried, "audit takes any event"
        return
    assert carried <= _handles(SLICE_OF[consumer.name]).HANDLES.keys()


@pytest.mark.parametrize("package", sorted(set(SLICE_OF.values())))
def test_a_slice_handles_nothing_that_it_does_not_consume(package: str) -> None:
    mine = [c for c in CONSUMERS if SLICE_OF[c.name] == package]
    carried = {m for c in mine for topic in topics_of(c) for m in topic.carries}
    if package != "workers.audit":
        assert _handles(package).HANDLES.keys() <= carried


@pytest.mark.parametrize("package", sorted(set(SLICE_OF.values())))
def test_the_docstring_of_a_slice_names_its_topics_and_what_they_carry(package: str) -> None:
    text = importlib.import_module(package).__doc__ or ""
    for consumer in (c for c in CONSUMERS if SLICE_OF[c.name] == package):
        for topic in topics_of(consumer):
            assert topic.name in text


@pytest.mark.parametrize("name", EMITTING)
def test_a_slice_emits_only_what_its_docstring_names(name: str) -> None:
    package = importlib.import_module(f"workers.{name}")
    text = package.__doc__ or ""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if found.name.rpartition(".")[2] not in {"handlers", "rules", "sender"}:
            continue
        module = importlib.import_module(found.name)
        events = {
            value
            for value in vars(module).values()
            if isinstance(value, type) and value in CARRIED_BY
            if CARRIED_BY[value].name.endswith(".events")
        }
        for event in events:
            assert event.__name__ in text, f"{event.__name__} is not in the docstring of {name}"


def test_every_message_is_carried_by_one_topic() -> None:
    carried = [message for topic in TOPICS for message in topic.carries]
    assert len(carried) == len(set(carried))


def test_only_redrive_topics_have_no_writer_but_the_operator() -> None:
    without = {topic.name for topic in physical_topics() if not topic.writers}
    assert all(name.endswith(".redrive") for name in without)


def test_the_gateway_writes_command_topics_and_nothing_else() -> None:
    written = {topic.name for topic in physical_topics() if "gateway" in topic.writers}
    assert written == {topic.name for topic in TOPICS if topic.name.endswith(".commands")}
