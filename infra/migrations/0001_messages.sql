-- What makes messages safe: the inbox (one effect per message), the outbox (events leave with the
-- state they tell of), the keys of personal data, and the commands that were set aside.

CREATE TABLE inbox (
    message_id  uuid        NOT NULL,
    consumer    text        NOT NULL,
    type        text        NOT NULL,
    actor_id    uuid,
    fingerprint text,
    outcome     jsonb,
    handled_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (message_id, consumer)
);
CREATE INDEX inbox_handled_at ON inbox USING brin (handled_at);

CREATE TABLE parked_commands (
    command_id uuid        PRIMARY KEY,
    consumer   text        NOT NULL,
    type       text        NOT NULL,
    actor_id   uuid,
    reason     text        NOT NULL,
    parked_at  timestamptz NOT NULL DEFAULT now()
);

-- seq is drawn when the row is inserted, after the aggregate's own row was locked: for one
-- aggregate its order is the order of the facts. The columns id, aggregatetype, aggregateid, type
-- and payload are those of Debezium's outbox event router.
CREATE SEQUENCE outbox_seq;
CREATE TABLE outbox (
    seq           bigint      NOT NULL DEFAULT nextval('outbox_seq'),
    id            uuid        NOT NULL,
    aggregatetype text        NOT NULL,
    aggregateid   text        NOT NULL,
    type          text        NOT NULL,
    payload       text        NOT NULL,
    headers       jsonb       NOT NULL,
    shard         smallint    NOT NULL GENERATED ALWAYS AS ((hashtext(aggregateid) & 7)::smallint) STORED,
    created_at    timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz,
    PRIMARY KEY (seq, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;
CREATE TABLE outbox_other PARTITION OF outbox DEFAULT;

-- One key a person (`user:<id>`), one a day for what belongs to nobody (`day:<date>`).
CREATE TABLE personal_keys (
    id         text        PRIMARY KEY,
    secret     bytea       NOT NULL CHECK (length(secret) = 32),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Partitions of a range-partitioned table for `ahead` periods from now, made by their owner.
CREATE FUNCTION ensure_partitions(parent text, period text, ahead int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    first timestamptz;
    name  text;
BEGIN
    IF parent NOT IN ('outbox', 'audit_log') OR period NOT IN ('day', 'month') THEN
        RAISE EXCEPTION 'no such partitioned table: % by %', parent, period;
    END IF;
    FOR step IN 0..ahead LOOP
        first := date_trunc(period, now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
                 + step * ('1 ' || period)::interval;
        name := parent || '_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            BEGIN
                EXECUTE format(
                    'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    name, parent, first, first + ('1 ' || period)::interval
                );
            EXCEPTION
                WHEN check_violation THEN NULL;  -- rows of this period are in the default partition
                WHEN duplicate_table OR unique_violation THEN NULL;  -- another process made it
            END;
        END IF;
    END LOOP;
END $$;
SELECT ensure_partitions('outbox', 'day', 3);
REVOKE ALL ON FUNCTION ensure_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions TO qnt9_relay, qnt9_audit;

-- Workers write their inbox rows and events; only the relay marks an event as published.
GRANT SELECT, INSERT ON inbox, parked_commands
   TO qnt9_signup, qnt9_accounts, qnt9_verification, qnt9_watchlist, qnt9_quotes;
GRANT DELETE ON parked_commands
   TO qnt9_signup, qnt9_accounts, qnt9_verification, qnt9_watchlist, qnt9_quotes;
GRANT INSERT ON outbox
   TO qnt9_signup, qnt9_accounts, qnt9_verification, qnt9_watchlist, qnt9_quotes;
GRANT USAGE ON SEQUENCE outbox_seq
   TO qnt9_signup, qnt9_accounts, qnt9_verification, qnt9_watchlist, qnt9_quotes;
GRANT SELECT, INSERT ON personal_keys
   TO qnt9_signup, qnt9_accounts, qnt9_verification, qnt9_watchlist, qnt9_quotes;
GRANT SELECT ON personal_keys TO qnt9_audit;
GRANT SELECT ON outbox TO qnt9_relay;
GRANT UPDATE (published_at) ON outbox TO qnt9_relay;
