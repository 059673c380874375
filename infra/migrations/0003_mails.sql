-- Mails to send and the one-time tokens they carry. Parameters are encrypted under the person's
-- key; a token is an HMAC of its mail's id, so only its hash is kept. `on_request`: somebody asked
-- for one more mail, which an address may do once a minute.

CREATE TABLE mails (
    id               uuid        PRIMARY KEY,
    user_id          uuid        NOT NULL REFERENCES users,
    template         text        NOT NULL,
    template_version int         NOT NULL,
    message_id       text        NOT NULL UNIQUE,
    parameters       text        NOT NULL,
    on_request       boolean     NOT NULL DEFAULT false,
    status           text        NOT NULL DEFAULT 'queued'
                     CHECK (status IN ('queued', 'sending', 'sent', 'failed', 'cancelled')),
    attempts         int         NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    leased_until     timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    sent_at          timestamptz,
    last_error       text
);
CREATE INDEX mails_due ON mails (next_attempt_at) WHERE status IN ('queued', 'sending');
CREATE INDEX mails_user ON mails (user_id);

CREATE TABLE mailed_tokens (
    token_hash bytea       PRIMARY KEY,
    mail_id    uuid        NOT NULL UNIQUE REFERENCES mails,
    user_id    uuid        NOT NULL REFERENCES users,
    purpose    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    voided_at  timestamptz
);
CREATE INDEX mailed_tokens_user ON mailed_tokens (user_id, purpose);

GRANT SELECT, INSERT, UPDATE ON mails, mailed_tokens TO qnt9_verification;
