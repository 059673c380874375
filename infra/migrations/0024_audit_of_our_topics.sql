-- The audit log takes events of topics that are events' topics, and one row for each event id: who
-- inserts looks up what the log has under an id (docs/audit.md).
-- Needed by: audit

-- contract: nothing but the topics of contracts/topics.py was ever recorded by the audit worker
ALTER TABLE audit_log ADD CONSTRAINT audit_log_topic
CHECK (topic ~ '^(users|watchlists|quotes|ops)\.events(\.audit\.redrive)?$') NOT VALID;

-- What the log has under these ids; the content is null where a row was removed.
CREATE FUNCTION recorded_events(ids uuid[])
RETURNS TABLE (event_id uuid, created_at timestamptz, payload bytea, key bytea, type text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT link.event_id, link.created_at, entry.payload, entry.key, entry.type
      FROM audit_chain AS link
      LEFT JOIN audit_log AS entry USING (event_id, created_at)
     WHERE link.event_id = ANY (ids);
END;
