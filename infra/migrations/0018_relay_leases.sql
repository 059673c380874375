-- Which relay publishes which shard of the outbox. A relay's row is a lease: it is renewed, and runs
-- out by this server's clock, or with the session that renews it. Nobody but the relay's role may
-- write here, so no other role can take a shard, as any role may take an advisory lock.
-- Needed by: relay

CREATE TABLE relays (
    id              uuid        PRIMARY KEY,
    session_pid     int         NOT NULL,
    session_started timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL
);
CREATE TABLE relay_shards (
    shard smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 7),
    relay uuid REFERENCES relays ON DELETE SET NULL
);
INSERT INTO relay_shards (shard) SELECT generate_series(0, 7);

GRANT SELECT, INSERT, DELETE ON relays TO qnt9_relay;
GRANT UPDATE (expires_at) ON relays TO qnt9_relay;
GRANT SELECT ON relay_shards TO qnt9_relay;
GRANT UPDATE (relay) ON relay_shards TO qnt9_relay;
