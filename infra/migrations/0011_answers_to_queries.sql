-- Queries without the cache server: what could not be announced is read here, for a few minutes.
-- Needed by: quotes, gateway

ALTER TABLE quotes ADD COLUMN fresh_until timestamptz;

CREATE TABLE query_answers (
    command_id uuid        PRIMARY KEY,
    outcome    jsonb       NOT NULL,
    told_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX query_answers_by_age ON query_answers (told_at);
GRANT SELECT, INSERT, DELETE ON query_answers TO qnt9_quotes;

CREATE OR REPLACE VIEW command_outcomes AS
    SELECT message_id AS id, type, actor_id, fingerprint, outcome, handled_at
      FROM inbox
     WHERE outcome IS NOT NULL
     UNION ALL
    SELECT command_id, NULL, NULL, NULL, outcome, told_at FROM query_answers;

CREATE OR REPLACE VIEW last_quotes AS
    SELECT symbol, quote, as_of, fetched_at, fresh_until FROM quotes;
