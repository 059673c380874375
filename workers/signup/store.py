"""The SQL of sign-ups."""

from uuid import UUID

from infra.postgres.pool import Connection


async def lock_owner(conn: Connection, address_hash: str) -> UUID | None:
    """The verified user of an address, locked so that events about one user have one order."""
    owner: UUID | None = await conn.fetchval(
        """
        SELECT id FROM users
         WHERE address_hash = $1 AND email_confirmed_at IS NOT NULL AND erased_at IS NULL
           FOR NO KEY UPDATE
        """,
        address_hash,
    )
    return owner


async def insert_user(
    conn: Connection,
    user_id: UUID,
    *,
    email: str,
    address_hash: str,
    display_name: str | None,
    password_hash: str,
    secret_hash: bytes | None,
) -> None:
    """An unverified user."""
    await conn.execute(
        """
        INSERT INTO users (id, email, address_hash, display_name, password_hash,
                           signup_secret_hash)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        user_id,
        email,
        address_hash,
        display_name,
        password_hash,
        secret_hash,
    )
