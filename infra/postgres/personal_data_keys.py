"""The keys of personal data: one a user, one a day for nobody's."""

import secrets
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.pool import Connection
from infra.runtime.clock import CLOCK

KEY_BYTES = 32


def user_key_id(user_id: UUID) -> str:
    """Return the id of the key of a user's personal data."""
    return f"user:{user_id}"


async def make_user_key(
    conn: Connection, user_id: UUID, secret: bytes | None = None
) -> PersonalKey:
    """Make the key of a user who has none yet: this secret (`KEY_BYTES` long), or a random one."""
    key = PersonalKey(user_key_id(user_id), secret or secrets.token_bytes(KEY_BYTES))
    await conn.execute("INSERT INTO personal_keys (id, secret) VALUES ($1, $2)", key.id, key.secret)
    return key


async def user_keys(conn: Connection, users: Iterable[UUID]) -> dict[UUID, PersonalKey]:
    """Return the keys of these users; erased ones have none."""
    rows = await conn.fetch(
        """
        SELECT id, secret
          FROM unnest($1::uuid[]) AS wanted (id)
         CROSS JOIN LATERAL user_key(id) AS key (secret)
        """,
        list(users),
    )
    return {row["id"]: PersonalKey(user_key_id(row["id"]), row["secret"]) for row in rows}


async def day_key(conn: Connection, now: datetime | None = None) -> PersonalKey:
    """Return today's key for data that belongs to no user. Whoever needs it first makes it."""
    day = (now or CLOCK.now()).date()
    key_id = f"day:{day}"
    secret: bytes | None = await conn.fetchval("SELECT * FROM day_key($1)", day)
    if secret is None:
        await conn.execute(
            "INSERT INTO personal_keys (id, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            key_id,
            secrets.token_bytes(KEY_BYTES),
        )
        secret = await conn.fetchval("SELECT * FROM day_key($1)", day)
    assert secret, "the day's key was removed as soon as it was made"
    return PersonalKey(key_id, secret)
