-- Passwords that can be changed and reset, addresses that can be changed, profiles, people who can
-- be forgotten, and what a user may see of the audit log.
-- Needed by: accounts, verification, audit, gateway

GRANT UPDATE (display_name) ON users TO qnt9_accounts;
GRANT UPDATE (email, address_hash) ON users TO qnt9_verification;
GRANT SELECT, UPDATE (used_at, voided_at) ON mailed_tokens TO qnt9_accounts;

-- So that the audit log holds a key while it writes what the key has opened.
GRANT UPDATE (created_at) ON personal_keys TO qnt9_audit;

-- Outcomes that tell of what a user has.
CREATE INDEX inbox_results ON inbox (actor_id) WHERE jsonb_typeof(outcome -> 'result') = 'object';

-- Forgets a user, with the sign-ups of the same address that the user's confirmation ended. What
-- stays are ids and ciphertexts to which there is no key. Nothing else may change the audit log.
-- Whoever writes personal data of a user holds that user's row, or the key, and so is waited for.
CREATE FUNCTION erase_user(erased uuid) RETURNS SETOF uuid
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
    RETURN QUERY SELECT unnest(people);
END $$;
REVOKE ALL ON FUNCTION erase_user FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_user TO qnt9_accounts;

-- A user's own rows; what is encrypted is left out.
CREATE VIEW activity AS
    SELECT event_id AS id, user_id, action, ip_address, user_agent, created_at,
           (SELECT coalesce(jsonb_object_agg(key, value), '{}')
              FROM jsonb_each(details)
             WHERE key <> 'user_id' AND coalesce(value #>> '{}', '') NOT LIKE 'p1.%') AS details
      FROM audit_log
     WHERE user_id IS NOT NULL;

GRANT SELECT ON activity TO qnt9_gateway;
