"""The SQL of signing in."""

from uuid import UUID

from infra.http.user_agents import described
from infra.postgres.pool import Connection, Pool
from infra.security.client_cipher import Client, network_of
from workers.accounts.rules import REFRESH_LIFETIME, Account
from workers.accounts.store import ACCOUNT, STANDS, account_of


async def find_account(pool: Pool, address_hash: str) -> Account | None:
    """The verified user of an address, else whoever signed up with it last."""
    row = await pool.fetchrow(
        f"""
        SELECT {ACCOUNT}
          FROM users
         WHERE address_hash = $1 AND {STANDS}
         ORDER BY email_confirmed_at IS NOT NULL DESC, created_at DESC, id DESC
         LIMIT 1
        """,  # noqa: S608  # constants
        address_hash,
    )
    return account_of(row) if row else None


async def renew_password_hash(conn: Connection, user_id: UUID, password_hash: str) -> None:
    """The same password, hashed with today's parameters."""
    await conn.execute(
        "UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1",
        user_id,
        password_hash,
    )


async def insert_session(
    conn: Connection, session_id: UUID, *, user_id: UUID, token_hash: bytes, client: Client
) -> bool:
    """A session, and the first refresh token of its family.

    Returns whether it comes from a client that is new to a user who is known with others: no
    session of the user, open or ended, came from this program in this network.
    """
    is_new: bool = await conn.fetchval(
        """
        WITH session AS (
            INSERT INTO sessions (id, user_id, expires_at, ip_address, user_agent, program,
                                  network)
            VALUES ($1, $2, now() + $4, $5, $6, $7, $8)
            RETURNING id, expires_at
        ), first AS (
            INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
            SELECT $3, id, expires_at FROM session
        )
        SELECT EXISTS (SELECT FROM sessions WHERE user_id = $2 AND program IS NOT NULL)
               AND NOT EXISTS (
                   SELECT FROM sessions WHERE user_id = $2 AND program = $7 AND network = $8
               )
        """,
        session_id,
        user_id,
        token_hash,
        REFRESH_LIFETIME,
        client.ip,
        client.agent,
        described(client.agent),
        network_of(client.ip),
    )
    return is_new
