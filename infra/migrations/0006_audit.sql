-- Every event once, bytes as published. Address and client are filled in clear when an event
-- comes in; only erasure may take them out again.

CREATE TABLE audit_log (
    user_id        uuid,
    action         text        NOT NULL,
    details        jsonb       NOT NULL,
    ip_address     inet,
    user_agent     text,
    created_at     timestamptz NOT NULL,
    event_id       uuid        NOT NULL,
    type           text        NOT NULL,
    correlation_id text        NOT NULL DEFAULT '',
    topic          text        NOT NULL,
    partition      int         NOT NULL,
    "offset"       bigint      NOT NULL,
    key            bytea,
    headers        jsonb       NOT NULL,
    payload        bytea       NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX audit_log_user ON audit_log (user_id, created_at DESC);
CREATE INDEX audit_log_action ON audit_log (action, created_at DESC);
CREATE TABLE audit_log_other PARTITION OF audit_log DEFAULT;
SELECT ensure_partitions('audit_log', 'month', 2);

GRANT SELECT, INSERT ON audit_log TO qnt9_audit;
