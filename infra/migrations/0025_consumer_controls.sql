-- What outlives a consumer's process: that it is paused because its handler fails on messages of
-- many senders, and what an operator has instructed about records that it has still to read.
-- Needed by: signup, accounts, verification, watchlist, quotes, audit

CREATE TABLE consumer_pauses (
    consumer  text        PRIMARY KEY,
    reason    text        NOT NULL,
    paused_at timestamptz NOT NULL DEFAULT now()
);

-- About offsets from first on and before until; of those about records of this type and this key
-- alone, where they are given.
CREATE TABLE consumer_instructions (
    id         bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    consumer   text        NOT NULL,
    action     text        NOT NULL CHECK (action IN ('skip', 'set-aside')),
    topic      text        NOT NULL,
    partition  int         NOT NULL,
    first      bigint      NOT NULL,
    until      bigint      NOT NULL CHECK (until > first),
    type       text,
    key        bytea,
    operator   text        NOT NULL,
    reason     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX consumer_instructions_by_consumer ON consumer_instructions (consumer, id);
