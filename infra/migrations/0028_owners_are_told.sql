-- The owner of an account is told of what happens to it, and the old address can undo a change of
-- address for seven days. `address`: where a token was mailed to, under its person's key.
-- `session_id`: the session that asked, which goes on when a change of address ends the others.
-- A farewell is the address of an erased user under a key of its own, until its mail is sent.
-- Needed by: accounts, verification

ALTER TABLE mailed_tokens
    ADD COLUMN address    text,
    ADD COLUMN session_id uuid;

CREATE TABLE farewells (
    user_id    uuid        PRIMARY KEY,
    secret     bytea       NOT NULL CHECK (length(secret) = 32),
    email      text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX farewells_by_age ON farewells (created_at);
