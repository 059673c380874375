"""The SQL of profiles."""

from dataclasses import dataclass, field
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.personal_data_keys import user_key_id
from infra.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Profile:
    """What its user may change, and the key of the user's personal data."""

    display_name: str | None = field(repr=False)
    key: PersonalKey


async def lock_profile(conn: Connection, user_id: UUID) -> Profile | None:
    """Return the profile of a user, locked. None for nobody who is still there."""
    row = await conn.fetchrow(
        """
        SELECT display_name, personal_keys.secret
          FROM users
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE users.id = $1 AND superseded_at IS NULL AND erased_at IS NULL
           FOR NO KEY UPDATE OF users
        """,
        user_id,
    )
    key = PersonalKey(user_key_id(user_id), row["secret"]) if row else None
    return Profile(row["display_name"], key) if row and key else None


async def set_display_name(conn: Connection, user_id: UUID, name: str | None) -> None:
    """Write another display name, or none."""
    await conn.execute(
        "UPDATE users SET display_name = $2, updated_at = now() WHERE id = $1", user_id, name
    )
