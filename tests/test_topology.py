"""The topology against the code: every command has its handler, every slice says what it does."""

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from contracts.message import Command
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


COMMANDS = sorted(
    (
        (message, consumer)
        for consumer in CONSUMERS
        for topic in topics_of(consumer)
        for message in topic.carries
        if issubclass(message, Command)
    ),
    key=lambda pair: pair[0].__name__,
)


@pytest.mark.parametrize(
    ("command", "consumer"), COMMANDS, ids=lambda each: getattr(each, "name", None) or each.__name__
)
def test_command_is_found_from_topics_by_handles_store_and_tests(
    command: type[Command], consumer: Consumer
) -> None:
    """Starts from the topology alone: the process that consumes the topic has the slice's name."""
    handler = _handles(f"workers.{consumer.principal}").HANDLES[command]
    module = sys.modules[handler.__module__]
    folder, _, name = module.__name__.rpartition(".")
    assert name == "handlers", "a handler is in handlers.py"
    assert module.HANDLES[command] is handler, "the table ends the module of its handler"
    assert command.__name__ in inspect.getsource(module)

    store = importlib.import_module(f"{folder}.store")
    assert module.store is store, "the handler uses the store.py beside it"
    assert re.search(r"\b(SELECT|INSERT|UPDATE|DELETE)\b", inspect.getsource(store))

    tests = Path(__file__).parent.joinpath(*folder.split("."))
    assert (tests / "test_handlers.py").is_file()


@pytest.mark.parametrize("package", sorted(set(SLICE_OF.values())))
def test_consumer_dispatches_by_the_table_of_its_slice_alone(package: str) -> None:
    consumer = _handles(package).__name__.removesuffix("handlers") + "consumer"
    if package == "workers.notifications":  # its consumer runs in the process of verification
        consumer = "workers.verification.consumer"
    module = importlib.import_module(consumer)
    assert re.search(r"dispatch_(each|in_bulk)\(([a-z]+\.)?HANDLES, ", inspect.getsource(module))
    handlers = set(_handles(package).HANDLES.values())
    assert not [value for value in vars(module).values() if _is_one_of(value, handlers)]


def _is_one_of(value: object, handlers: set[object]) -> bool:
    return isinstance(value, FunctionType) and value in handlers
