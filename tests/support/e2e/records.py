"""Records as they lie in a topic: a good one for every topic, and what can be wrong with one."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer

from contracts import base64url, commands, events, operator_events
from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.message import Command, Message
from contracts.topics import (
    ACCOUNTS_COMMANDS,
    MIB,
    OPS_EVENTS,
    PASSWORDS_COMMANDS,
    QUOTES_COMMANDS,
    QUOTES_EVENTS,
    SIGNIN_COMMANDS,
    SIGNUP_COMMANDS,
    USERS_EVENTS,
    VERIFICATION_COMMANDS,
    WATCHLIST,
    WATCHLIST_COMMANDS,
    WATCHLISTS_EVENTS,
    Topic,
)
from devstack.supervisor.credentials import Credentials
from infra.security.seals import OpeningKeys, SealingKey, binding
from tests.support.stack import PASSWORD

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Raw:
    """A record before it is sent. `symbol` is what a quote was asked of, if one was."""

    id: UUID
    key: bytes
    value: bytes | None
    headers: Headers
    symbol: str | None = None

    async def send(self, producer: AIOKafkaProducer, topic: str, partition: int = 0) -> int:
        """The offset it got."""
        sent = await producer.send_and_wait(
            topic, self.value, key=self.key, partition=partition, headers=self.headers
        )
        return int(sent.offset)

    async def send_later(
        self, producer: AIOKafkaProducer, topic: str, partition: int
    ) -> "asyncio.Future[Any]":
        """Queue it; the future has the place it gets."""
        queued: asyncio.Future[Any] = await producer.send(
            topic, self.value, key=self.key, partition=partition, headers=self.headers
        )
        return queued


def good_record(
    topic: Topic, credentials: Credentials, *, within: timedelta = timedelta(seconds=60)
) -> Raw:
    """One of a kind that changes nothing of anybody's. `within`: its deadline, if it has one."""
    envelope = Envelope(
        id=uuid7(),
        source="urn:qnt9:test",
        type="",
        time=datetime.now(UTC),
        correlation_id="a-raw-record",
        actor_id=uuid4(),
        deadline=datetime.now(UTC) + within,
    )
    message = _message(topic, envelope, credentials)
    envelope = replace(
        envelope, type=message.type, deadline=envelope.deadline if _asks(message) else None
    )
    return Raw(
        envelope.id,
        uuid4().hex.encode(),
        message.model_dump_json().encode(),
        [*envelope.to_headers()],
        getattr(message, "symbol", None),
    )


def _asks(message: Message) -> bool:
    return isinstance(message, commands.LookUpQuote | commands.SignIn)


def _message(topic: Topic, envelope: Envelope, credentials: Credentials) -> Message:
    symbol = f"X{random.randrange(1, 10_000):04}.DE"
    made: dict[Topic, Callable[[], Message]] = {
        SIGNUP_COMMANDS: lambda: commands.SignUp(
            sealed=_seal("SIGNUP", "signup", envelope, credentials)
        ),
        SIGNIN_COMMANDS: lambda: commands.SignIn(
            sealed=_seal("ACCOUNTS", "signin", envelope, credentials),
            reply_key=OpeningKeys.generate()[1],
        ),
        ACCOUNTS_COMMANDS: lambda: commands.SignOut(session_id=uuid4()),
        PASSWORDS_COMMANDS: lambda: commands.ResetPassword(
            sealed=_seal("ACCOUNTS", "password-reset", envelope, credentials)
        ),
        VERIFICATION_COMMANDS: lambda: commands.VerifyEmail(
            sealed=_seal("VERIFICATION", "verify", envelope, credentials)
        ),
        WATCHLIST_COMMANDS: lambda: commands.RemoveFromWatchlist(symbol=symbol),
        QUOTES_COMMANDS: lambda: commands.LookUpQuote(symbol=symbol),
        USERS_EVENTS: lambda: events.UserSigninFailed(reason="unknown_address"),
        WATCHLISTS_EVENTS: lambda: events.WatchlistItemRemoved(user_id=uuid4(), symbol=symbol),
        QUOTES_EVENTS: lambda: events.QuoteNotFound(symbol=symbol, source="test"),
        OPS_EVENTS: lambda: operator_events.OpsDiscarded(
            operator="a test",
            reason="to see it in the log",
            dead_letters=WATCHLIST_COMMANDS.dead_letters(WATCHLIST),
            offsets=[],
            message_ids=[],
        ),
    }
    return made[topic]()


def _seal(role: str, purpose: str, envelope: Envelope, credentials: Credentials) -> str:
    """What each worker expects in the seal; one that takes no fingerprint overlooks it."""
    content: dict[str, str | None] = {"fingerprint": None}
    if purpose == "verify":
        content["token"] = uuid4().hex
    elif purpose == "password-reset":
        content |= {"token": uuid4().hex, "new_password": PASSWORD}
    else:
        content |= {"email": f"{uuid4().hex[:12]}@example.com", "password": PASSWORD}
    key = SealingKey(base64url.decode(credentials.keys[f"QNT9_{role}_SEAL_PUBLIC"]))
    return key.seal(content, binding(envelope.id, purpose, envelope.time.isoformat()))


def _null_header(record: Raw) -> Raw:
    return replace(record, headers=[*record.headers, ("x-null", None)])


def _header_not_utf8(record: Raw) -> Raw:
    return replace(record, headers=[*record.headers, ("x-bytes", b"\xff\xfe\x00")])


def _broken_json(record: Raw) -> Raw:
    return replace(record, value=(record.value or b"")[:-1])


def _unknown_type(record: Raw) -> Raw:
    headers = [(n, b"qnt9.test.unheard_of.v1" if n == "ce_type" else v) for n, v in record.headers]
    return replace(record, headers=headers)


def _two_mebibytes(record: Raw) -> Raw:
    data = json.loads(record.value or b"{}")
    empty = json.dumps({**data, "padding": ""})
    padded = json.dumps({**data, "padding": "x" * (2 * MIB - len(empty))})
    return replace(record, value=padded.encode())


def _tombstone(record: Raw) -> Raw:
    return replace(record, value=None)


UNKNOWN_TYPE = "unknown type"
CORRUPTED: dict[str, Callable[[Raw], Raw]] = {
    "null header": _null_header,
    "header not UTF-8": _header_not_utf8,
    "broken JSON": _broken_json,
    UNKNOWN_TYPE: _unknown_type,
    "2 MiB": _two_mebibytes,
    "tombstone": _tombstone,
}
ENVELOPE_READABLE = ("broken JSON", UNKNOWN_TYPE, "2 MiB", "tombstone")


def is_command(topic: Topic) -> bool:
    return all(issubclass(message, Command) for message in topic.carries)
