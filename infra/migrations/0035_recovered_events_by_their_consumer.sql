-- An event that a restored database has lost counts as made again when the process of its consumer
-- makes it, not when any other role that may insert into the outbox names its id: triggers run before
-- row level security looks at the row. Whose trigger it is says `session_user`, for the function runs
-- as its owner. `tests/infra/messaging/test_restored_database.py` compares the consumers with the topology.
-- Needed by: signup, accounts, verification, watchlist, quotes

CREATE FUNCTION role_of_consumer(consumer text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN 'qnt9_' || CASE consumer
    WHEN 'signin' THEN 'accounts'
    WHEN 'passwords' THEN 'accounts'
    WHEN 'verification-mails' THEN 'verification'
    ELSE consumer
END;

CREATE OR REPLACE FUNCTION skip_recovered_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE recovered_events SET repeated_at = now()
     WHERE id = new.id AND session_user IN (current_user, role_of_consumer(consumer));
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN new;
END $$;
