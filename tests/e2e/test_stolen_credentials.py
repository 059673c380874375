"""What the credential of one part could do to people of a running system, and no longer does."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from contracts.commands import ChangePermissions
from contracts.envelope import Envelope
from contracts.events import UserEmailChangeRequested
from contracts.ids import uuid7
from contracts.personal import Personal, PersonalKey
from contracts.topics import ACCOUNTS_COMMANDS, USERS_EVENTS
from contracts.values import Permission
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from tests.support.e2e.role_clients import connection_of, in_the_database_as
from tests.support.stack import PASSWORD, Stack, User
from tests.support.waiting import eventually

SECONDS = 60.0
OTHER_PASSWORD = "Another-horse-5-battery"  # of a user of a test


async def id_of(stack: Stack, user: User) -> UUID:
    async with stack.http(headers=user.headers) as http:
        return UUID((await http.get("/api/v1/users/me")).json()["id"])


def forged(user_id: UUID, key: PersonalKey) -> tuple[Envelope, bytes]:
    """The link to confirm another address, mailed to that address."""
    event = UserEmailChangeRequested(user_id=user_id, new_email=Personal("eve@example.org"))
    envelope = Envelope(
        id=uuid7(),
        source="urn:qnt9:passwords",
        type=event.type,
        time=datetime.now(UTC),
        subject=str(user_id),
    )
    return envelope, event.model_dump_json(context={"personal": key}).encode()


async def key_of(stack: Stack, user_id: UUID) -> PersonalKey:
    """More than any of the stolen credentials reads."""
    async with stack.postgres() as conn:
        name = f"user:{user_id}"
        secret = await conn.fetchval("SELECT secret FROM personal_keys WHERE id = $1", name)
    return PersonalKey(name, secret)


@pytest.mark.parametrize("role", ["quotes", "watchlist", "signup"])
async def test_workers_database_role_mails_no_link_of_another_slice(
    stack: Stack, role: str
) -> None:
    ada = await id_of(stack, await stack.verified_user())
    envelope, payload = forged(ada, await key_of(stack, ada))
    headers = {name: value.decode() for name, value in envelope.to_headers()}
    async with in_the_database_as(role, stack) as conn:
        await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=str)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(
                """
                INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
                VALUES ($1, 'users', $2, $3, $4, jsonb_object($5::text[], $6::text[]))
                """,
                envelope.id,
                str(ada),
                envelope.type,
                payload.decode(),
                [*headers],
                [*headers.values()],
            )
        for statement in (
            "SELECT secret FROM personal_keys",
            "SELECT password_hash FROM users",
            "INSERT INTO mail_requests (event_id) VALUES (gen_random_uuid())",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(statement)


async def test_event_that_the_relays_credential_publishes_is_mailed_to_no_one(
    stack: Stack,
) -> None:
    user = await stack.verified_user()
    ada = await id_of(stack, user)
    envelope, payload = forged(ada, await key_of(stack, ada))
    credentials = load_or_create(Layout(stack.data))
    async with AIOKafkaProducer(**connection_of("relay", credentials, stack)) as producer:
        await producer.send_and_wait(
            USERS_EVENTS.name, payload, key=str(ada).encode(), headers=envelope.to_headers()
        )
    async with stack.http(headers=user.headers) as http:
        body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
        answer = await http.post("/api/v1/auth/password/change", json=body)
        assert answer.status_code in {200, 202, 204}, answer.text

    async def templates() -> set[str]:
        async with stack.postgres() as conn:
            rows = await conn.fetch("SELECT template FROM mails WHERE user_id = $1", ada)
        found = {row["template"] for row in rows}
        return found if "password_changed" in found else set()

    mailed = await eventually(templates, seconds=SECONDS, what="the mail of a later event")
    assert not {"email_change", "email_change_asked"} & mailed


async def test_gateways_kafka_credential_makes_no_one_an_admin(stack: Stack) -> None:
    admin = await id_of(stack, await stack.admin())
    eve = await id_of(stack, await stack.verified_user())
    command = ChangePermissions(user_id=eve, permissions=(Permission.ADMIN,))
    envelope = Envelope(
        id=uuid7(),
        source="urn:qnt9:gateway",
        type=command.type,
        time=datetime.now(UTC),
        actor_id=admin,
    )
    credentials = load_or_create(Layout(stack.data))
    async with AIOKafkaProducer(**connection_of("gateway", credentials, stack)) as producer:
        await producer.send_and_wait(
            ACCOUNTS_COMMANDS.name,
            command.model_dump_json().encode(),
            key=str(eve).encode(),
            headers=envelope.to_headers(),
        )

    async def outcome() -> str | None:
        async with stack.postgres() as conn:
            code: str | None = await conn.fetchval(
                "SELECT outcome ->> 'code' FROM inbox WHERE message_id = $1", envelope.id
            )
        return code

    assert await eventually(outcome, seconds=SECONDS, what="its outcome") == "forbidden"
    async with stack.postgres() as conn:
        found = await conn.fetchval("SELECT permissions FROM users WHERE id = $1", eve)
    assert found == []
