"""From a request to a command on Kafka, and from its outcome to an answer."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
import structlog

from contracts import base64url
from contracts.confidential import binding
from contracts.envelope import Envelope
from contracts.ids import uuid7, uuid8
from contracts.message import Command
from contracts.outcomes import Succeeded
from contracts.topics import CARRIED_BY
from gateway.commands.idempotency import IdempotencyStore
from gateway.commands.pending_command import PendingCommand, acknowledgement
from gateway.commands.result_problems import is_of_another_body, settled, translate_publish_errors
from gateway.commands.results import CommandResult, CommandResults
from gateway.commands.status_token import Handle
from gateway.context import RequestContext
from gateway.http.endpoints import Answer
from gateway.http.preferences import Preference, idempotency_key, preference
from gateway.problems import ProblemError
from gateway.settings import GatewaySettings
from infra.kafka.batching_publisher import Acknowledged, BatchingPublisher
from infra.kafka.producer import (
    BrokerUnavailableError,
    Outgoing,
    Producer,
)
from infra.observability.tracing import TRACING
from infra.runtime.clock import CLOCK
from infra.security.client_cipher import ClientCipher

log = structlog.get_logger(__name__)

SOURCE = "urn:qnt9:gateway"
ACCEPTED_RETRY_SECONDS = "1"
MIN_REPEATED_SECONDS = 0.5
"""Longer than the first request takes: its time may depend on the address."""

AnswerOf = Callable[[Succeeded], Answer]


@dataclass(frozen=True, slots=True)
class Intent:
    """A command's identity, fixed before its data, so that a seal can be bound to it."""

    id: UUID
    time: datetime
    fingerprint: str | None


class CommandPublisher:
    """Publishes commands, acknowledged by the broker, and waits for what becomes of them."""

    def __init__(
        self,
        settings: GatewaySettings,
        producer: Producer,
        outcomes: CommandResults,
        idempotency: IdempotencyStore,
        cipher: ClientCipher,
    ) -> None:
        self._settings = settings
        self._publisher = BatchingPublisher(producer)
        self._outcomes = outcomes
        self._idempotency = idempotency
        self._cipher = cipher

    def intent(self, context: RequestContext, principal: str) -> Intent:
        """Every gateway gives the same id to the same principal, route and Idempotency-Key."""
        now = CLOCK.now()
        repeated = idempotency_key(context.idempotency_key)
        if repeated is None:
            return Intent(uuid7(), now, None)
        identity = orjson.dumps([principal, context.method, context.path, repeated])
        body = orjson.dumps(context.body, option=orjson.OPT_SORT_KEYS)
        return Intent(uuid8(self._mac(b"command", identity)), now, self._mac(b"body", body).hex())

    @staticmethod
    def fresh_intent() -> Intent:
        """For what is never repeated: each request is a command of its own."""
        return Intent(uuid7(), CLOCK.now(), None)

    def secret_of(self, intent: Intent) -> str:
        """43 url-safe characters that only this intent has; the same where it is repeated."""
        identity = intent.id.bytes + (intent.fingerprint or "").encode()
        digest = self._mac(b"signup-secret", identity)
        return base64url.encode(digest)

    def encrypted(self, intent: Intent, field: str, text: str) -> str:
        """A text for the field `encrypted_<field>` of this command."""
        return self._cipher.encrypt_text(text, binding(intent.id, field))

    def key_of(self, text: str) -> str:
        """The key of records about a text that nobody else may read."""
        return self._mac(b"key", text.encode()).hex()

    async def publish(
        self, context: RequestContext, intent: Intent, command: Command, *, key: str
    ) -> Answer:
        """Publish, and answer 202 that tells the caller nothing more."""
        with translate_publish_errors(intent.id):
            acknowledged = await self._publish(
                context, intent, command, key=key, reply_to=None, deadline=None
            )
            await acknowledgement(acknowledged, self._settings.publish_seconds)
        return Answer(202, {"status": "accepted"})

    async def publish_once(
        self, context: RequestContext, intent: Intent, command: Command, *, key: str
    ) -> Answer:
        """The same; a repetition waits, only to be refused where another body came first."""
        seconds = self._settings.wait_seconds
        if intent.fingerprint is None:
            return await self.publish(context, intent, command, key=key)
        if await self._idempotency.came_before(intent.id):
            telling = self._request(context, intent, command, key=key, seconds=seconds)
        else:
            accepted = await self.publish(context, intent, command, key=key)
            if not await self._idempotency.came_meanwhile(intent.id):
                return accepted
            telling = self._outcomes.wait_for_result(intent.id, seconds)
        command_result, _ = await asyncio.gather(telling, asyncio.sleep(MIN_REPEATED_SECONDS))
        if command_result and is_of_another_body(command_result, intent.fingerprint):
            raise ProblemError("idempotency-key-reused")
        return Answer(202, {"status": "accepted"})

    async def publish_and_wait(
        self,
        context: RequestContext,
        intent: Intent,
        command: Command,
        *,
        key: str,
        answer: AnswerOf,
    ) -> Answer:
        """Publish, wait as long as the client prefers, answer with the outcome or with 202."""
        preferred = preference(
            context.prefer,
            default=self._settings.wait_seconds,
            most=self._settings.wait_seconds_most,
        )
        command_result = await self._request(
            context, intent, command, key=key, seconds=preferred.seconds
        )
        if command_result is None:
            return self._accepted(context, intent, command, preferred)
        applied = (("Preference-Applied", preferred.applied),) if preferred.applied else ()
        result = answer(settled(command_result, intent.fingerprint))
        return Answer(result.status, result.body, (*result.headers, *applied))

    async def request(
        self, context: RequestContext, intent: Intent, command: Command, *, key: str, seconds: float
    ) -> CommandResult | None:
        """Publish something that is worthless after its deadline; None when that has passed."""
        deadline = intent.time + timedelta(seconds=seconds)
        return await self._request(
            context, intent, command, key=key, seconds=seconds, deadline=deadline
        )

    async def _request(
        self,
        context: RequestContext,
        intent: Intent,
        command: Command,
        *,
        key: str,
        seconds: float,
        deadline: datetime | None = None,
    ) -> CommandResult | None:
        waiting = self._outcomes.expect(intent.id)
        try:
            with translate_publish_errors(intent.id):
                acknowledged = await self._publish(
                    context,
                    intent,
                    command,
                    key=key,
                    reply_to=self._outcomes.channel,
                    deadline=deadline,
                )
                return await PendingCommand(
                    acknowledged, waiting, publish_seconds=self._settings.publish_seconds
                ).result(seconds)
        finally:
            self._outcomes.forget(intent.id, waiting)

    async def _publish(
        self,
        context: RequestContext,
        intent: Intent,
        command: Command,
        *,
        key: str,
        reply_to: str | None,
        deadline: datetime | None,
    ) -> Acknowledged:
        envelope = Envelope(
            id=intent.id,
            source=SOURCE,
            type=command.type,
            time=intent.time,
            subject=key,
            correlation_id=context.correlation_id,
            causation_id=context.correlation_id,
            actor_id=context.user.user_id if context.user else None,
            traceparent=TRACING.created(command.type, str(intent.id), context.traceparent),
            reply_to=reply_to,
            deadline=deadline,
            # Where the body has a secret, its fingerprint travels inside the seal.
            fingerprint=None if "sealed" in type(command).model_fields else intent.fingerprint,
            client=self._cipher.encrypt(context.client),
        )
        record = Outgoing(key.encode(), command.model_dump_json().encode(), envelope.to_headers())
        try:
            async with asyncio.timeout(self._settings.publish_seconds):
                return await self._publisher.publish(CARRIED_BY[type(command)].name, record)
        except TimeoutError as error:
            raise BrokerUnavailableError from error

    def _accepted(
        self, context: RequestContext, intent: Intent, command: Command, preferred: Preference
    ) -> Answer:
        actor = context.user.user_id if context.user else None
        handle = Handle(intent.id, command.type, intent.time, actor, intent.fingerprint)
        text = handle.sign(self._settings.gateway_key)
        headers = [
            ("Location", f"/api/v1/commands/{text}"),
            ("Retry-After", ACCEPTED_RETRY_SECONDS),
        ]
        if preferred.applied:
            headers.append(("Preference-Applied", preferred.applied))
        return Answer(202, {"status": "pending", "handle": text}, tuple(headers))

    def _mac(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.new(
            self._settings.gateway_key, purpose + b":" + content, hashlib.sha256
        ).digest()
