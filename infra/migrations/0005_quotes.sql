-- The last good quote of each symbol: what is served when provider and cache are both away.

CREATE TABLE quotes (
    symbol     text        PRIMARY KEY,
    quote      jsonb       NOT NULL,
    as_of      timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON quotes TO qnt9_quotes;
