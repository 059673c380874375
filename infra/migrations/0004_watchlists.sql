CREATE TABLE watchlist_items (
    user_id  uuid        NOT NULL REFERENCES users,
    symbol   text        NOT NULL,
    note     text,
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, symbol)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON watchlist_items TO qnt9_watchlist;
