"""`asyncapi.yaml` (AsyncAPI 3.0): the topics, who sends and receives on them, each message.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import yaml

from contracts.message import Command, Message
from contracts.topics import MESSAGES
from infra.messaging.dead_letters import PREFIX
from operations.schemas.channels import channels
from operations.schemas.examples import Example
from operations.schemas.headers import command_headers, dead_letter_headers, event_headers
from operations.schemas.messages import data_schema
from operations.schemas.operations import operations

COLUMNS = 100
BINDING = "0.5.0"

_ABOUT = """\
CloudEvents 1.0 in Kafka's binary mode: attributes are `ce_` headers, the value is the JSON data.

Delivery is at least once: deduplicate on `ce_id`. Order holds per key, so partition counts never
change. Fields are only ever added; ignore those you do not know. A value is at most 256 KiB.

Commands are the gateway's to send and one consumer's to handle. Events are for everybody: another
service gets a principal of its own with READ on the topics it needs, and a consumer group.
Personal data in events (`p1.`) is encrypted under a key per person, secrets in commands (`s1.`)
are sealed to the one worker that may read them; other services get ids.
"""


class _Dumper(yaml.SafeDumper):
    """Every value in full where it stands: no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # as the base declares it
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(examples: Mapping[str, Example]) -> str:
    """The document as it is committed; the same contracts always give the same bytes."""
    head = "# Generated from contracts/ by `make schemas`.\n"
    document = asyncapi(examples)
    return head + yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=COLUMNS
    )


def asyncapi(examples: Mapping[str, Example]) -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "id": "urn:qnt9",
        "info": {
            "title": "QNT9",
            "version": version("qnt9"),
            "description": _ABOUT,
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": {
                **{
                    name: _message(message, examples.get(name))
                    for name, message in MESSAGES.items()
                },
                "dead-letter": _dead_letter(),
            },
            "schemas": {
                "command-headers": command_headers(),
                "event-headers": event_headers(),
                "dead-letter-headers": dead_letter_headers(PREFIX),
                **{name: data_schema(message) for name, message in MESSAGES.items()},
            },
            "securitySchemes": {
                "scram": {
                    "type": "scramSha512",
                    "description": "One principal a role, each with the rights it needs alone.",
                }
            },
        },
    }


def _servers() -> dict[str, Any]:
    secured = [{"$ref": "#/components/securitySchemes/scram"}]
    return {
        "cluster": {
            "host": "{bootstrap}",
            "protocol": "kafka-secure",
            "protocolVersion": "4.3",
            "description": "SASL_SSL: TLS, and SCRAM-SHA-512 over it.",
            "variables": {"bootstrap": {"default": "kafka.example.com:9093"}},
            "security": secured,
        },
        "one-machine": {
            "host": "127.0.0.1:{port}",
            "protocol": "kafka",
            "protocolVersion": "4.3",
            "description": (
                "SASL_PLAINTEXT on loopback, as `qnt9 up` starts it; "
                "`qnt9 status --json` has the port and the operator's credentials."
            ),
            "variables": {"port": {"default": "8092"}},
            "security": secured,
        },
    }


def _message(message: type[Message], example: Example | None) -> dict[str, Any]:
    kind = "command" if issubclass(message, Command) else "event"
    return {
        "name": message.type,
        "title": message.__name__,
        "summary": (message.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "tags": [{"name": kind}],
        "headers": {
            "allOf": [
                {"$ref": f"#/components/schemas/{kind}-headers"},
                {"type": "object", "properties": {"ce_type": {"const": message.type}}},
            ]
        },
        "payload": {"$ref": f"#/components/schemas/{message.type}"},
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The same as `ce_subject`."},
                "bindingVersion": BINDING,
            }
        },
        "examples": [
            {"name": message.__name__, "headers": example.headers, "payload": example.data}
        ]
        if example
        else [],
    }


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "dead-letter",
        "title": "DeadLetter",
        "summary": "A record as received, byte for byte, and why it is a dead letter.",
        "description": "Key, value and headers may be anything: that can be why it is here.",
        "contentType": "application/octet-stream",
        "headers": {"$ref": "#/components/schemas/dead-letter-headers"},
        "payload": {"description": "The original bytes."},
    }
