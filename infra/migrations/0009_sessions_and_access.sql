-- Sessions that can be refreshed, listed and ended; and, for the gateways, what an access token
-- cannot know of itself: that its session has ended since, that its user has changed since.
-- Needed by: accounts, gateway

-- `expires_at`: until when a session can be refreshed.
ALTER TABLE sessions
    ADD COLUMN last_used_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN expires_at   timestamptz NOT NULL DEFAULT now() + interval '30 days';
UPDATE sessions SET last_used_at = created_at, expires_at = created_at + interval '30 days';

CREATE INDEX sessions_ended_at ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX users_updated_at ON users (updated_at)
 WHERE version > 1 OR superseded_at IS NOT NULL OR erased_at IS NOT NULL;

CREATE VIEW sessions_open AS
    SELECT id, user_id, created_at, last_used_at
      FROM sessions
     WHERE ended_at IS NULL AND expires_at > now();

CREATE VIEW sessions_ended AS
    SELECT id, ended_at FROM sessions WHERE ended_at IS NOT NULL;

CREATE VIEW users_changed AS
    SELECT id, version, tier, permissions, email_confirmed_at IS NOT NULL AS verified,
           superseded_at IS NOT NULL OR erased_at IS NOT NULL AS gone, updated_at
      FROM users
     WHERE version > 1 OR superseded_at IS NOT NULL OR erased_at IS NOT NULL;

GRANT SELECT ON sessions_open, sessions_ended, users_changed TO qnt9_gateway;
