-- From which program and address a session was begun, so that its user can tell which one it is,
-- and so that the first session from elsewhere can be told to the user. Rows go with their user.
-- `late_run`: how many of the tokens before this one were, in a row, asked for again late.
-- Needed by: accounts, gateway

ALTER TABLE sessions
    ADD COLUMN ip_address text,
    ADD COLUMN user_agent text,
    ADD COLUMN program    text,
    ADD COLUMN network    text;
ALTER TABLE refresh_tokens ADD COLUMN late_run smallint NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW sessions_open AS
    SELECT id, user_id, created_at, last_used_at, ip_address, user_agent, program
      FROM sessions
     WHERE ended_at IS NULL AND expires_at > now();
