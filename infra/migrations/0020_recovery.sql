-- A database that was restored is older than Kafka: commands are handled again that were handled
-- before, and events are there already that they make again (docs/recovery.md, ADR 19).
-- Needed by: signup, accounts, verification, watchlist, quotes, audit, relay

-- One row for each run of `qnt9 recover` that changed something. `points` says for each consumer
-- group and partition from where to where commands are handled again.
CREATE TABLE recoveries (
    id          uuid        PRIMARY KEY,
    operator    text        NOT NULL,
    reason      text        NOT NULL,
    points      jsonb       NOT NULL,
    began_at    timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);

-- Events that were published and then lost by the database. `awaited`: their cause is in Kafka and
-- will be handled again, and is not done before it has made them again.
CREATE TABLE recovered_events (
    id           uuid        PRIMARY KEY,
    type         text        NOT NULL,
    consumer     text        NOT NULL,
    cause_id     uuid,
    awaited      boolean     NOT NULL,
    recovered_at timestamptz NOT NULL DEFAULT now(),
    repeated_at  timestamptz,
    given_up_at  timestamptz
);
CREATE INDEX recovered_events_by_cause ON recovered_events (cause_id, consumer);
CREATE INDEX recovered_events_awaited ON recovered_events (id)
 WHERE awaited AND repeated_at IS NULL AND given_up_at IS NULL;

-- An event that is in its topic already enters the outbox no second time.
CREATE FUNCTION skip_recovered_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE recovered_events SET repeated_at = now() WHERE id = new.id;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER recovered_events BEFORE INSERT ON outbox
   FOR EACH ROW WHEN (new.published_at IS NULL) EXECUTE FUNCTION skip_recovered_event();

-- Which of these messages a consumer has neither handled nor set aside, as far as this database
-- knows; for audit, which are not in the log. An event that nobody asked a mail for, and that the
-- log has, is nothing that the mails have lost.
CREATE FUNCTION unknown_messages(reader text, ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id
      FROM unnest(ids) AS id
     WHERE CASE WHEN reader = 'audit'
                THEN NOT EXISTS (SELECT FROM audit_log WHERE event_id = id)
                WHEN EXISTS (SELECT FROM inbox WHERE message_id = id AND consumer = reader)
                  OR EXISTS (SELECT FROM parked_commands WHERE command_id = id)
                  OR EXISTS (SELECT FROM dead_letter_actions WHERE message_id = id)
                THEN false
                WHEN reader = 'verification-mails'
                THEN EXISTS (SELECT FROM mail_requests WHERE event_id = id)
                  OR NOT EXISTS (SELECT FROM audit_log WHERE event_id = id)
                ELSE true
           END
$$;

REVOKE ALL ON FUNCTION skip_recovered_event, unknown_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unknown_messages
   TO qnt9_signup, qnt9_accounts, qnt9_verification, qnt9_watchlist, qnt9_audit;
GRANT SELECT (id, consumer, cause_id, awaited, repeated_at, given_up_at) ON recovered_events
   TO qnt9_signup, qnt9_accounts, qnt9_verification, qnt9_watchlist, qnt9_quotes;
