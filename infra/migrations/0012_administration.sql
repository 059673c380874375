-- Tiers and permissions that admins change; and what admins may see: users, and the audit log
-- without what is encrypted.
-- Needed by: accounts, gateway

GRANT UPDATE (tier, permissions) ON users TO qnt9_accounts;

-- Whoever changes what a user may do locks all admins, of whom there are few.
CREATE INDEX users_admins ON users (id) WHERE 'admin' = ANY (permissions);
CREATE INDEX users_email ON users (email);
CREATE INDEX audit_log_created ON audit_log (created_at DESC, event_id DESC);

CREATE VIEW audit_entries AS
    SELECT event_id AS id, user_id, headers ->> 'ce_actorid' AS actor_id, action, ip_address,
           user_agent, created_at,
           (SELECT coalesce(jsonb_object_agg(key, value), '{}')
              FROM jsonb_each(details)
             WHERE key <> 'user_id' AND coalesce(value #>> '{}', '') NOT LIKE 'p1.%') AS details
      FROM audit_log;

GRANT SELECT ON audit_entries TO qnt9_gateway;

-- What an admin did to a user: the log has the admin's address and client. The user sees neither,
-- and they go with the admin.
CREATE INDEX audit_log_actor ON audit_log ((headers ->> 'ce_actorid'))
 WHERE headers ->> 'ce_actorid' <> user_id::text;

CREATE OR REPLACE VIEW activity AS
    SELECT event_id AS id, user_id, action,
           CASE WHEN coalesce(headers ->> 'ce_actorid' = user_id::text, true)
                THEN ip_address END AS ip_address,
           CASE WHEN coalesce(headers ->> 'ce_actorid' = user_id::text, true)
                THEN user_agent END AS user_agent,
           created_at,
           (SELECT coalesce(jsonb_object_agg(key, value), '{}')
              FROM jsonb_each(details)
             WHERE key <> 'user_id' AND coalesce(value #>> '{}', '') NOT LIKE 'p1.%') AS details
      FROM audit_log
     WHERE user_id IS NOT NULL;

-- As before, and what the erased have done to others.
CREATE OR REPLACE FUNCTION erase_user(erased uuid) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    people uuid[];
BEGIN
    PERFORM FROM users
      WHERE address_hash = (SELECT address_hash FROM users WHERE id = erased)
      ORDER BY id
        FOR UPDATE;
    SELECT array_agg(each.id) INTO people
      FROM users AS one
      JOIN users AS each
        ON each.id = one.id
        OR (each.address_hash = one.address_hash AND one.email_confirmed_at IS NOT NULL)
     WHERE one.id = erased AND one.erased_at IS NULL AND each.erased_at IS NULL;
    IF people IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM personal_keys
     WHERE id IN (SELECT 'user:' || person FROM unnest(people) AS person);
    UPDATE users
       SET email = NULL, address_hash = 'erased:' || id, display_name = NULL,
           password_hash = NULL, permissions = '{}', version = version + 1,
           erased_at = now(), updated_at = now()
     WHERE id = ANY(people);
    DELETE FROM watchlist_items WHERE user_id = ANY(people);
    DELETE FROM refresh_tokens
     USING sessions
     WHERE sessions.id = session_id AND user_id = ANY(people);
    DELETE FROM sessions WHERE user_id = ANY(people);
    DELETE FROM mailed_tokens WHERE user_id = ANY(people);
    UPDATE mails
       SET parameters = '', last_error = NULL,
           status = CASE WHEN status IN ('queued', 'sending') THEN 'cancelled' ELSE status END
     WHERE user_id = ANY(people);
    UPDATE inbox
       SET outcome = jsonb_set(outcome, '{result}', 'null')
     WHERE actor_id = ANY(people) AND jsonb_typeof(outcome -> 'result') = 'object';
    UPDATE audit_log
       SET ip_address = NULL, user_agent = NULL
     WHERE user_id = ANY(people) AND (ip_address IS NOT NULL OR user_agent IS NOT NULL);
    UPDATE audit_log
       SET ip_address = NULL, user_agent = NULL
     WHERE headers ->> 'ce_actorid' IN (SELECT person::text FROM unnest(people) AS person)
       AND headers ->> 'ce_actorid' <> user_id::text
       AND (ip_address IS NOT NULL OR user_agent IS NOT NULL);
    RETURN QUERY SELECT unnest(people);
END $$;
