-- What audit has set aside is known, and so is an event whose row was removed from the log: neither
-- is a sign that the database is older than what was read from Kafka (docs/recovery.md).
-- Needed by: audit

CREATE OR REPLACE FUNCTION unknown_messages(reader text, ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id
      FROM unnest(ids) AS id
     WHERE CASE WHEN EXISTS (SELECT FROM parked_commands WHERE command_id = id)
                  OR EXISTS (SELECT FROM dead_letter_actions WHERE message_id = id)
                THEN false
                WHEN reader = 'audit'
                THEN NOT EXISTS (SELECT FROM audit_log WHERE event_id = id)
                 AND NOT EXISTS (SELECT FROM audit_chain WHERE event_id = id)
                WHEN EXISTS (SELECT FROM inbox WHERE message_id = id AND consumer = reader)
                THEN false
                WHEN reader = 'verification-mails'
                THEN EXISTS (SELECT FROM mail_requests WHERE event_id = id)
                  OR NOT EXISTS (SELECT FROM audit_log WHERE event_id = id)
                ELSE true
           END
$$;
