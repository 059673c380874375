"""With a role's own credentials: what a process that was broken into would have."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError

from contracts.topics import USERS_EVENTS
from devstack.supervisor.credentials import Credentials, load_or_create
from devstack.supervisor.layout import Layout
from tests.support.stack import Stack

DENIED = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.WrongObjectTypeError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
"""The others are what nobody can do: truncate a view, write what it computes or joins."""
FORBIDDEN = (
    "INSERT INTO outbox (id) VALUES (gen_random_uuid())",
    "UPDATE users SET tier = 'pro'",
    "DELETE FROM audit_log",
    "SELECT password_hash FROM users",
    "SELECT token_hash FROM refresh_tokens",
    "SELECT secret FROM personal_keys",
)
"""A few of all that tests/e2e/test_permissions.py tries, for whoever asks often."""


@asynccontextmanager
async def in_the_database_as(
    role: str, stack: Stack
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    dsn, user = stack.urls["postgres"]["dsn"], f"qnt9_{role}"
    password = load_or_create(Layout(stack.data)).postgres[user]
    conn = await asyncpg.connect(dsn, user=user, password=password)
    try:
        yield conn
    finally:
        await conn.close()


def connection_of(role: str, credentials: Credentials, stack: Stack) -> dict[str, str]:
    return {
        **stack.kafka_options(),
        "sasl_plain_username": role,
        "sasl_plain_password": credentials.kafka[role],
    }


async def gets_its_way(stack: Stack, role: str = "gateway") -> AsyncIterator[str]:
    """I9: what the gateway's roles may not do and could do all the same."""
    async with in_the_database_as(role, stack) as conn:
        for statement in FORBIDDEN:
            refused = False
            try:
                await conn.execute(statement)
            except DENIED:
                refused = True
            except asyncpg.PostgresError:
                pass  # allowed, and wrong in another way
            if not refused:
                yield f"I9: the {role} may {statement}"
    connection = connection_of(role, load_or_create(Layout(stack.data)), stack)
    async with AIOKafkaProducer(**connection) as producer:
        try:
            await producer.send_and_wait(USERS_EVENTS.name, b"{}", key=b"a key")
        except TopicAuthorizationFailedError:
            return
        yield f"I9: the {role} may publish on {USERS_EVENTS.name}"
