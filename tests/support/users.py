"""Users, as the slices find them in the database."""

import hashlib
from uuid import UUID

from contracts.ids import uuid7
from infra.postgres.personal_data_keys import make_user_key
from infra.security.address_hmac import address_hash
from infra.security.password_hashing import Passwords
from tests.support.postgres import Database

ADDRESS_KEY = bytes(range(32))
ADA = "ada@example.com"
PASSWORD = "Quiet-harbour-61-lantern"


def quick_passwords(*, at_once: int = 2) -> Passwords:
    """Real hashes with the least work that argon2 takes."""
    return Passwords(at_once=at_once, memory_kib=8, iterations=1)


async def a_user(
    database: Database,
    email: str = ADA,
    *,
    verified: bool = False,
    superseded: bool = False,
    erased: bool = False,
    password_hash: str | None = None,
    display_name: str | None = None,
    signup_secret: str | None = None,
) -> UUID:
    """A row of its own, with a personal key."""
    user_id = uuid7()
    pool = await database.pool()
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(
            """
            INSERT INTO users (id, email, address_hash, display_name, password_hash,
                               email_confirmed_at, superseded_at, erased_at)
            VALUES ($1, $2, $3, $4, $5,
                    CASE WHEN $6 THEN now() END, CASE WHEN $7 THEN now() END,
                    CASE WHEN $8 THEN now() END)
            """,
            user_id,
            email,
            address_hash(ADDRESS_KEY, email),
            display_name,
            password_hash,
            verified,
            superseded,
            erased,
        )
        await make_user_key(conn, user_id)
        if signup_secret:
            hashed = hashlib.sha256(signup_secret.encode()).digest()
            await conn.execute(
                "UPDATE users SET signup_secret_hash = $2 WHERE id = $1", user_id, hashed
            )
    return user_id
