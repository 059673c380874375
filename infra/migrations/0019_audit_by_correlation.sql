-- What one request has caused is found by its correlation id.
-- Needed by: gateway

CREATE INDEX audit_log_correlation ON audit_log (correlation_id, created_at DESC);

CREATE OR REPLACE VIEW audit_entries AS
    SELECT event_id AS id, user_id, headers ->> 'ce_actorid' AS actor_id, action, ip_address,
           user_agent, created_at,
           (SELECT coalesce(jsonb_object_agg(key, value), '{}')
              FROM jsonb_each(details)
             WHERE key <> 'user_id' AND coalesce(value #>> '{}', '') NOT LIKE 'p1.%') AS details,
           correlation_id
      FROM audit_log;
