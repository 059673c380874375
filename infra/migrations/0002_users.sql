-- Accounts. Each sign-up of an unverified address is a row of its own; an address is unique among
-- the verified. `address_hash` is the HMAC by which an address is looked up.

CREATE TABLE users (
    id                 uuid        PRIMARY KEY,
    email              text,
    address_hash       text        NOT NULL,
    display_name       text,
    password_hash      text,
    email_confirmed_at timestamptz,
    tier               text        NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'plus', 'pro')),
    permissions        text[]      NOT NULL DEFAULT '{}',
    version            int         NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    superseded_at      timestamptz,
    erased_at          timestamptz
);
CREATE UNIQUE INDEX users_verified_address ON users (address_hash)
 WHERE email_confirmed_at IS NOT NULL AND erased_at IS NULL;
CREATE INDEX users_address ON users (address_hash, created_at DESC);

CREATE TABLE sessions (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

-- A family of rotating refresh tokens is a session; only their hashes are kept.
CREATE TABLE refresh_tokens (
    token_hash bytea       PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES sessions,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    spent_at   timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

-- Locking a row needs the right to update one of its columns: signup and watchlist only lock.
GRANT SELECT, INSERT, UPDATE (updated_at) ON users TO qnt9_signup;
GRANT SELECT ON users TO qnt9_accounts, qnt9_verification;
GRANT UPDATE (password_hash, version, updated_at) ON users TO qnt9_accounts;
GRANT SELECT, INSERT, UPDATE ON sessions, refresh_tokens TO qnt9_accounts;
GRANT UPDATE (email_confirmed_at, superseded_at, version, updated_at) ON users TO qnt9_verification;
GRANT SELECT (id, tier, erased_at, updated_at), UPDATE (updated_at) ON users TO qnt9_watchlist;
