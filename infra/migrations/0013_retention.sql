-- What has been kept for long enough can be removed: by whoever defines a table; of the tables that
-- every worker writes by the relay, through functions that remove nothing else.
-- Needed by: accounts, relay, verification

CREATE INDEX inbox_by_age ON inbox (handled_at);
CREATE INDEX refresh_tokens_by_age ON refresh_tokens (expires_at);
CREATE INDEX sessions_by_age ON sessions (expires_at);
CREATE INDEX mailed_tokens_by_age ON mailed_tokens (expires_at);
CREATE INDEX mails_by_age ON mails (created_at) WHERE status IN ('sent', 'failed', 'cancelled');

GRANT DELETE ON sessions, refresh_tokens TO qnt9_accounts;
GRANT DELETE ON mails, mailed_tokens TO qnt9_verification;

-- Rows of the inbox are what makes a second delivery harmless, so none goes while its message can
-- still be delivered: 22 days at least (contracts/topics.py), and as long as it is parked.
CREATE FUNCTION forget_handled(keep interval, most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    IF keep < interval '22 days' THEN
        RAISE EXCEPTION 'what was handled may come again for 22 days';
    END IF;
    WITH old AS (
        SELECT message_id, consumer
          FROM inbox
         WHERE handled_at < now() - keep
           AND NOT EXISTS (SELECT FROM parked_commands WHERE command_id = message_id)
         ORDER BY handled_at
         LIMIT most
    )
    DELETE FROM inbox USING old
     WHERE inbox.message_id = old.message_id AND inbox.consumer = old.consumer
       AND handled_at < now() - keep;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

-- Days of the outbox are dropped whole, eight in a transaction at most, each only when all of it is
-- published. Writers wait for a drop, and a drop waits for them, for a moment or not at all.
CREATE FUNCTION forget_published(keep interval, most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '300ms' AS $$
DECLARE
    removed bigint;
    dropped int := 0;
    waits   boolean;
    each    record;
BEGIN
    IF keep < interval '1 day' THEN
        RAISE EXCEPTION 'what was published is kept for a day';
    END IF;
    WITH old AS (
        SELECT seq, created_at
          FROM outbox_other
         WHERE published_at < now() - keep
         ORDER BY seq
         LIMIT most
    )
    DELETE FROM outbox_other USING old
     WHERE outbox_other.seq = old.seq AND outbox_other.created_at = old.created_at;
    GET DIAGNOSTICS removed = ROW_COUNT;
    FOR each IN
        SELECT relname, greatest(reltuples, 0)::bigint AS rows
          FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
         WHERE inhparent = 'outbox'::regclass AND relname ~ '^outbox_\d{8}$'
           AND right(relname, 8) < to_char((now() - keep) AT TIME ZONE 'UTC', 'YYYYMMDD')
         ORDER BY relname
    LOOP
        EXIT WHEN dropped = 8;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE published_at IS NULL)', each.relname)
           INTO waits;
        CONTINUE WHEN waits;
        LOCK TABLE ONLY outbox IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', each.relname);
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE published_at IS NULL)', each.relname)
           INTO waits;
        CONTINUE WHEN waits;
        EXECUTE format('DROP TABLE %I', each.relname);
        dropped := dropped + 1;
        removed := removed + each.rows;
    END LOOP;
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION forget_handled, forget_published FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_handled, forget_published TO qnt9_relay;
