-- The tables of the plain services: those of the system without inbox and keys, with the same indexes
-- where they answer the same question. The audit log is an ordinary table. The last three tables are
-- those of the service with the system's duties.

CREATE TABLE users (
    id                 uuid        PRIMARY KEY,
    email              text        NOT NULL,
    display_name       text,
    password_hash      text        NOT NULL,
    email_confirmed_at timestamptz,
    tier               text        NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'plus', 'pro')),
    permissions        text[]      NOT NULL DEFAULT '{}',
    version            int         NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_verified ON users (email) WHERE email_confirmed_at IS NOT NULL;
CREATE INDEX users_email ON users (email, created_at DESC);

CREATE TABLE sessions (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL DEFAULT now() + interval '30 days',
    ended_at     timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE refresh_tokens (
    token_hash bytea       PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES sessions,
    expires_at timestamptz NOT NULL,
    spent_at   timestamptz
);

CREATE TABLE mailed_tokens (
    token_hash bytea       PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users,
    expires_at timestamptz NOT NULL,
    mailed_at  timestamptz
);
CREATE INDEX mailed_tokens_due ON mailed_tokens (user_id) WHERE mailed_at IS NULL;

CREATE TABLE watchlist_items (
    user_id  uuid        NOT NULL REFERENCES users,
    symbol   text        NOT NULL,
    note     text,
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, symbol)
);

CREATE TABLE quotes (
    symbol text  PRIMARY KEY,
    quote  jsonb NOT NULL
);

CREATE TABLE audit_log (
    id         bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    user_id    uuid,
    action     text        NOT NULL,
    details    jsonb       NOT NULL,
    ip_address inet,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_log_user ON audit_log (user_id, created_at DESC);
CREATE INDEX audit_log_action ON audit_log (action, created_at DESC);

CREATE TABLE outbox (
    seq          bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    id           uuid        NOT NULL,
    key          text        NOT NULL,
    payload      text        NOT NULL,
    headers      jsonb       NOT NULL,
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;

CREATE TABLE audit_heads (
    chain  int    PRIMARY KEY,
    length bigint NOT NULL DEFAULT 0,
    hash   bytea  NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
);
INSERT INTO audit_heads SELECT generate_series(0, 5);

CREATE TABLE audit_chain (
    chain    int    NOT NULL REFERENCES audit_heads,
    sequence bigint NOT NULL,
    event_id uuid   NOT NULL UNIQUE,
    hash     bytea  NOT NULL,
    PRIMARY KEY (chain, sequence)
);
