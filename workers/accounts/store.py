"""The SQL of accounts. Whoever changes a session or its tokens holds the lock of its user's row."""

from dataclasses import dataclass, field
from uuid import UUID

from asyncpg import Record

from contracts.personal import PersonalKey
from infra.http.user_agents import described
from infra.postgres.pool import Connection, Pool
from infra.security.client_cipher import Client, network_of
from infra.security.personal_data_keys import user_key_id
from workers.accounts.rules import REFRESH_LIFETIME, SESSION_LIFETIME, Account, Token


@dataclass(frozen=True, slots=True)
class Locked:
    """An account, and the key of that user's personal data."""

    account: Account
    key: PersonalKey


async def find_account(pool: Pool, address_hash: str) -> Account | None:
    """The verified user of an address, else whoever signed up with it last."""
    row = await pool.fetchrow(
        """
        SELECT id, password_hash, tier, permissions, version,
               email_confirmed_at IS NOT NULL AS verified
          FROM users
         WHERE address_hash = $1 AND superseded_at IS NULL AND erased_at IS NULL
         ORDER BY email_confirmed_at IS NOT NULL DESC, created_at DESC, id DESC
         LIMIT 1
        """,
        address_hash,
    )
    return _account(row) if row else None


async def find_user(pool: Pool, user_id: UUID) -> Account | None:
    """A user who is neither erased nor ended by somebody else's verification."""
    row = await pool.fetchrow(
        """
        SELECT id, password_hash, tier, permissions, version,
               email_confirmed_at IS NOT NULL AS verified
          FROM users
         WHERE id = $1 AND superseded_at IS NULL AND erased_at IS NULL
        """,
        user_id,
    )
    return _account(row) if row else None


async def lock_account(conn: Connection, checked: Account) -> Locked | None:
    """The account as it is now, locked so that events about it have one order.

    None when it has ended, or has another password hash than the one that was checked.
    """
    row = await conn.fetchrow(
        """
        SELECT users.id, password_hash, tier, permissions, version,
               email_confirmed_at IS NOT NULL AS verified, email, personal_keys.secret
          FROM users
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE users.id = $1 AND password_hash IS NOT DISTINCT FROM $2
           AND superseded_at IS NULL AND erased_at IS NULL
           FOR NO KEY UPDATE OF users
        """,
        checked.user_id,
        checked.password_hash,
    )
    return locked(row) if row else None


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


async def lock_holder(conn: Connection, session_id: UUID, token_hash: bytes) -> Locked | None:
    """The user of a refresh token, locked. Nobody's lock is taken for a token that never was."""
    row = await conn.fetchrow(
        """
        SELECT users.id, password_hash, tier, permissions, version,
               email_confirmed_at IS NOT NULL AS verified, personal_keys.secret
          FROM refresh_tokens
          JOIN sessions ON sessions.id = session_id
          JOIN users ON users.id = user_id
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE token_hash = $1 AND session_id = $2
           AND superseded_at IS NULL AND erased_at IS NULL
           FOR NO KEY UPDATE OF users
        """,
        token_hash,
        session_id,
    )
    return locked(row) if row else None


async def find_token(conn: Connection, token_hash: bytes, successor: bytes) -> Token | None:
    """As it stands once its user is locked, at this moment of the database's clock."""
    row = await conn.fetchrow(
        """
        SELECT ended_at IS NOT NULL AS session_ended,
               refresh_tokens.expires_at <= clock_timestamp() AS expired,
               clock_timestamp() - spent_at AS spent_ago, late_run,
               EXISTS (
                   SELECT FROM refresh_tokens WHERE token_hash = $2 AND spent_at IS NOT NULL
               ) AS successor_used
          FROM refresh_tokens JOIN sessions ON sessions.id = session_id
         WHERE token_hash = $1
        """,
        token_hash,
        successor,
    )
    return Token(**row) if row else None


async def rotate(
    conn: Connection, session_id: UUID, *, spent: bytes, successor: bytes, client: Client
) -> None:
    """One token is spent, the next begins; unused, the session ends sooner than with its age."""
    await conn.execute(
        """
        WITH spent AS (
            UPDATE refresh_tokens SET spent_at = clock_timestamp() WHERE token_hash = $2
        ), session AS (
            UPDATE sessions
               SET last_used_at = now(), expires_at = least(now() + $4, created_at + $5),
                   ip_address = $6, user_agent = $7
             WHERE id = $1
            RETURNING id, expires_at
        )
        INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
        SELECT $3, id, expires_at FROM session
        """,
        session_id,
        spent,
        successor,
        REFRESH_LIFETIME,
        SESSION_LIFETIME,
        client.ip,
        client.agent,
    )


async def set_late_run(conn: Connection, successor: bytes, late_run: int) -> None:
    """The token that followed a spent one was handed out again, later than a repetition is."""
    await conn.execute(
        "UPDATE refresh_tokens SET late_run = $2 WHERE token_hash = $1", successor, late_run
    )


async def lock_owner(conn: Connection, session_id: UUID, user_id: UUID) -> Locked | None:
    """The user, locked, if it is a session of this user's."""
    row = await conn.fetchrow(
        """
        SELECT users.id, password_hash, tier, permissions, version,
               email_confirmed_at IS NOT NULL AS verified, personal_keys.secret
          FROM sessions
          JOIN users ON users.id = user_id
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE sessions.id = $1 AND users.id = $2
           FOR NO KEY UPDATE OF users
        """,
        session_id,
        user_id,
    )
    return locked(row) if row else None


async def end_session(conn: Connection, session_id: UUID) -> bool:
    """Whether it was this that ended it."""
    ended = await conn.fetchval(
        "UPDATE sessions SET ended_at = now() WHERE id = $1 AND ended_at IS NULL RETURNING true",
        session_id,
    )
    return ended is not None


@dataclass(frozen=True, slots=True)
class Profile:
    """What its user may change, and the key of the user's personal data."""

    display_name: str | None = field(repr=False)
    key: PersonalKey


async def lock_profile(conn: Connection, user_id: UUID) -> Profile | None:
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
    await conn.execute(
        "UPDATE users SET display_name = $2, updated_at = now() WHERE id = $1", user_id, name
    )


def locked(row: Record) -> Locked:
    """Of a row with the columns of an account and the secret of its key."""
    return Locked(_account(row), PersonalKey(user_key_id(row["id"]), row["secret"]))


def _account(row: Record) -> Account:
    return Account(
        row["id"],
        row["password_hash"],
        row["tier"],
        verified=row["verified"],
        permissions=tuple(row["permissions"]),
        version=row["version"],
        email=row.get("email"),
    )
