"""What an older gateway let pass is refused by the worker: rejected, and no dead letter."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from contracts import base64url, commands
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.message import Command
from contracts.topics import CARRIED_BY, Topic
from devstack.supervisor.credentials import Credentials, load_or_create
from devstack.supervisor.layout import Layout
from gateway.commands.status_token import Handle
from infra.messaging.dead_letters import read_from
from infra.security.seals import SealingKey, binding
from tests.support.e2e.records import Raw
from tests.support.stack import PASSWORD, Stack
from tests.support.waiting import eventually

BAD_ADDRESS = "ada\u202e@exa\0mple.com"


def sealed(
    command: type[commands.SignUp | commands.ForgotPassword], role: str, purpose: str
) -> tuple[type[Command], str, str]:
    return command, role, purpose


ACCEPTED_ONLY = [
    sealed(commands.SignUp, "SIGNUP", "signup"),
    sealed(commands.ForgotPassword, "VERIFICATION", "forgot"),
]
"""Commands that the gateway answers with 202 alone: their status tells what became of them."""


def badly_made(command: type[Command], role: str, purpose: str, keys: Credentials) -> Raw:
    """A command as a gateway makes it that accepts any text as an address."""
    now = datetime.now(UTC)
    envelope = Envelope(
        id=uuid7(), source="urn:qnt9:test", type=command.type, time=now, correlation_id="old"
    )
    key = SealingKey(base64url.decode(keys.keys[f"QNT9_{role}_SEAL_PUBLIC"]))
    content = {"email": BAD_ADDRESS, "password": PASSWORD, "fingerprint": None}
    seal = key.seal(content, binding(envelope.id, purpose, envelope.time.isoformat()))
    value = command.model_validate({"sealed": seal}).model_dump_json().encode()
    return Raw(envelope.id, uuid4().hex.encode(), value, [*envelope.to_headers()])


async def status_says_refused(stack: Stack, record: Raw, command: type[Command]) -> None:
    """In the resource that `Location` of a 202 names."""
    keys = load_or_create(Layout(stack.data))
    handle = Handle(record.id, command.type, datetime.now(UTC), None, None)
    path = f"/api/v1/commands/{handle.sign(base64url.decode(keys.keys['QNT9_GATEWAY_KEY']))}"
    async with stack.http() as http:

        async def settled() -> bool:
            return bool((await http.get(path)).json()["status"] != "pending")

        await eventually(settled, seconds=30, what="an outcome")
        answer = (await http.get(path)).json()
    assert (answer["status"], answer["parked"]) == ("failed", False)
    assert answer["problem"]["code"] == "invalid-fields"
    assert BAD_ADDRESS not in str(answer)


async def is_set_aside(stack: Stack, topic: Topic, place: tuple[str, int, int]) -> bool:
    dead_letters = [topic.dead_letters(consumer) for consumer in topic.consumers]
    return place in map(read_from, await stack.records(*dead_letters))


@pytest.mark.parametrize(("command", "role", "purpose"), ACCEPTED_ONLY)
async def test_badly_sealed_command_is_rejected_and_its_status_says_so(
    stack: Stack, command: type[Command], role: str, purpose: str
) -> None:
    topic = CARRIED_BY[command]
    record = badly_made(command, role, purpose, load_or_create(Layout(stack.data)))
    async with stack.producer() as producer:
        offset = await record.send(producer, topic.name, 1)
    await status_says_refused(stack, record, command)
    assert not await is_set_aside(stack, topic, (topic.name, 1, offset))


async def test_note_in_clear_that_is_too_long_is_rejected_and_its_status_says_so(
    stack: Stack,
) -> None:
    command = commands.AddToWatchlist
    topic = CARRIED_BY[command]
    keys = load_or_create(Layout(stack.data))
    record = badly_made(commands.SignUp, "SIGNUP", "signup", keys)
    headers = [(n, command.type.encode() if n == "ce_type" else v) for n, v in record.headers]
    headers.append(("ce_actorid", str(uuid4()).encode()))
    value = ('{"symbol": "AAPL", "note": "' + "x" * 2_000 + '"}').encode()
    record = replace(record, headers=headers, value=value)
    async with stack.producer() as producer:
        offset = await record.send(producer, topic.name, 1)
    await status_says_refused(stack, record, command)
    assert not await is_set_aside(stack, topic, (topic.name, 1, offset))
