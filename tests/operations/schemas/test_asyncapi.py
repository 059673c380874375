"""The AsyncAPI document against the topology, and against itself."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.physical_topics import physical_topics
from contracts.topics import MESSAGES, TOPICS
from operations.schemas.asyncapi import as_yaml
from operations.schemas.examples import read_examples
from operations.schemas.headers import command_headers
from tests.support.message_builders import NOW

FOLDER = Path("schemas")
TEXT = (FOLDER / "asyncapi.yaml").read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)


def resolved(node: Any) -> Any:
    """The part of the document with its references followed."""
    match node:
        case {"$ref": str(reference)}:
            found: Any = DOCUMENT
            for step in reference.removeprefix("#/").split("/"):
                found = found[step]
            return resolved(found)
        case dict():
            return {name: resolved(value) for name, value in node.items()}
        case list():
            return [resolved(value) for value in node]
    return node


def test_the_same_contracts_give_the_same_bytes() -> None:
    assert as_yaml(read_examples(FOLDER)) == TEXT


def test_every_topic_of_the_broker_is_the_address_of_a_channel() -> None:
    addresses = set()
    for channel in DOCUMENT["channels"].values():
        parameters = channel.get("parameters", {"": {"enum": [""]}})
        ((parameter, values),) = parameters.items()
        addresses |= {channel["address"].replace(f"{{{parameter}}}", v) for v in values["enum"]}
    assert addresses == {topic.name for topic in physical_topics()}


def test_every_reference_is_found_in_the_document_itself() -> None:
    assert "$ref" not in str(resolved(DOCUMENT))


def test_each_role_sends_and_receives_what_the_topology_says() -> None:
    operations = DOCUMENT["operations"]
    for topic in TOPICS:
        sends = operations[f"{topic.producer}.sends.{topic.name}"]
        assert sends["action"] == "send"
        assert [m["name"] for m in resolved(sends["messages"])] == [m.type for m in topic.carries]
        for consumer in topic.consumers:
            receives = operations[f"{consumer.name}.receives.{topic.name}"]
            assert receives["action"] == "receive"
            assert receives["bindings"]["kafka"]["groupId"]["const"] == consumer.group
        for broadcast_reader in topic.watchers:
            watches = operations[f"{broadcast_reader}.watches.{topic.name}"]
            assert watches["action"] == "receive"
            assert "bindings" not in watches


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_a_message_describes_its_own_example(name: str) -> None:
    message = resolved(DOCUMENT["components"]["messages"][name])
    (example,) = message["examples"]
    for part in ("headers", "payload"):
        Draft202012Validator.check_schema(message[part])
        Draft202012Validator(message[part], format_checker=FormatChecker()).validate(example[part])


def test_every_header_that_an_envelope_can_have_is_described() -> None:
    full = Envelope(
        id=uuid7(),
        source="urn:qnt9:test",
        type="t",
        time=NOW,
        subject="s",
        correlation_id="c",
        causation_id="c",
        actor_id=uuid7(),
        traceparent="t",
        tracestate="t",
        reply_to="r",
        deadline=NOW,
        fingerprint="f",
        client="c",
    )
    assert dict(full.to_headers()).keys() == command_headers()["properties"].keys()
