"""The keys of personal data: one a user, one a day for nobody's."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.pool import Connection

KEY_BYTES = 32


def user_key_id(user_id: UUID) -> str:
    return f"user:{user_id}"


async def make_user_key(
    conn: Connection, user_id: UUID, secret: bytes | None = None
) -> PersonalKey:
    """The key of a user who has none yet: this secret (`KEY_BYTES` long), or a random one."""
    key = PersonalKey(user_key_id(user_id), secret or secrets.token_bytes(KEY_BYTES))
    await conn.execute("INSERT INTO personal_keys (id, secret) VALUES ($1, $2)", key.id, key.secret)
    return key


async def keys_by_id(conn: Connection, ids: Iterable[str]) -> dict[str, PersonalKey]:
    """The keys that still exist."""
    rows = await conn.fetch("SELECT id, secret FROM personal_keys WHERE id = ANY($1)", list(ids))
    return {row["id"]: PersonalKey(row["id"], row["secret"]) for row in rows}


async def user_keys(conn: Connection, users: Iterable[UUID]) -> dict[UUID, PersonalKey]:
    """The keys of these users; erased ones have none."""
    wanted = {user_key_id(user): user for user in users}
    found = await keys_by_id(conn, wanted)
    return {wanted[key_id]: key for key_id, key in found.items()}


async def day_key(conn: Connection, now: datetime | None = None) -> PersonalKey:
    """Today's key for data that belongs to no user."""
    key_id = f"day:{(now or datetime.now(UTC)).date()}"
    found = await keys_by_id(conn, [key_id])
    if key_id not in found:
        await conn.execute(
            "INSERT INTO personal_keys (id, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            key_id,
            secrets.token_bytes(KEY_BYTES),
        )
        found = await keys_by_id(conn, [key_id])
    return found[key_id]
