"""The SQL of tiers and permissions."""

from dataclasses import dataclass
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.personal_data_keys import user_key_id
from infra.postgres.pool import Connection
from workers.accounts.administration.rules import Standing


@dataclass(frozen=True, slots=True)
class Locked:
    """What a user may do, and the key of that user's personal data."""

    standing: Standing
    key: PersonalKey


async def lock_standings(conn: Connection, user_id: UUID) -> dict[UUID, Locked]:
    """A user, if there is one, and every admin; locked in id order so that nobody can deadlock."""
    rows = await conn.fetch(
        """
        SELECT users.id, tier, permissions, email_confirmed_at IS NOT NULL AS verified,
               personal_keys.secret
          FROM users
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE (users.id = $1 OR 'admin' = ANY (permissions))
           AND superseded_at IS NULL AND erased_at IS NULL
         ORDER BY users.id
           FOR NO KEY UPDATE OF users
        """,
        user_id,
    )
    return {
        row["id"]: Locked(
            Standing(row["id"], row["tier"], tuple(row["permissions"]), verified=row["verified"]),
            PersonalKey(user_key_id(row["id"]), row["secret"]),
        )
        for row in rows
    }


async def session_stands(conn: Connection, session_id: UUID, user_id: UUID) -> bool:
    """Whether it is a session of this user that nobody has ended."""
    stands: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM sessions WHERE id = $1 AND user_id = $2 AND ended_at IS NULL)",
        session_id,
        user_id,
    )
    return stands


async def save(conn: Connection, standing: Standing) -> None:
    """Write tier and permissions, and raise the version of the user."""
    await conn.execute(
        """
        UPDATE users
           SET tier = $2, permissions = $3, version = version + 1, updated_at = now()
         WHERE id = $1
        """,
        standing.user_id,
        standing.tier,
        [*standing.permissions],
    )
