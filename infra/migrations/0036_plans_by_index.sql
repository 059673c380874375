-- Look-ups that every plan can only do by an index, whatever the statistics say when it is made
-- (ADR 30), and indexes for what was looked up without one.
-- Needed by: nobody

-- A row at a time by LATERAL: the planner cannot join whole tables instead. `audit_heads` has one
-- row for each partition. A head is looked for before it is inserted, because an attempt that meets
-- one uses up a number of `chain`.
CREATE OR REPLACE FUNCTION extend_audit_chain() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit_heads (topic, partition)
    SELECT taken.topic, taken.partition
      FROM (SELECT DISTINCT topic, partition FROM added) AS taken
      LEFT JOIN LATERAL (
               SELECT chain FROM audit_heads
                WHERE audit_heads.topic = taken.topic AND audit_heads.partition = taken.partition
                LIMIT 1
           ) AS head ON true
     WHERE head.chain IS NULL
     ORDER BY taken.topic, taken.partition
        ON CONFLICT DO NOTHING;
    PERFORM FROM audit_heads
      WHERE (topic, partition) IN (SELECT DISTINCT topic, partition FROM added)
      ORDER BY chain
        FOR UPDATE;
    WITH links AS (
        INSERT INTO audit_chain (chain, sequence, event_id, created_at, hash)
        SELECT head.chain, head.length + row_number() OVER taken, event_id, created_at,
               audit_links(head.hash, audit_leaf(added)) OVER taken
          FROM added
         CROSS JOIN LATERAL (
                  SELECT chain, length, hash FROM audit_heads
                   WHERE audit_heads.topic = added.topic AND audit_heads.partition = added.partition
                   LIMIT 1
              ) AS head
          LEFT JOIN LATERAL (
                   SELECT audit_chain.sequence FROM audit_chain
                    WHERE audit_chain.event_id = added.event_id
                    LIMIT 1
               ) AS link ON true
         WHERE link.sequence IS NULL
        WINDOW taken AS (PARTITION BY head.chain ORDER BY "offset", event_id, created_at
                         ROWS UNBOUNDED PRECEDING)
        RETURNING chain, sequence, hash
    )
    UPDATE audit_heads
       SET length = last.sequence, hash = last.hash
      FROM (SELECT DISTINCT ON (chain) * FROM links ORDER BY chain, sequence DESC) AS last
     WHERE audit_heads.chain = last.chain;
    RETURN NULL;
END $$;

CREATE INDEX dead_letter_actions_event ON dead_letter_actions (event_id);
CREATE INDEX dead_letter_actions_message ON dead_letter_actions (message_id);

-- What the log has under these ids; the content is null where a row was removed. A join was planned
-- as one of whole tables when it was first used on an empty log, and that plan was kept.
CREATE OR REPLACE FUNCTION recorded_events(ids uuid[])
RETURNS TABLE (event_id uuid, created_at timestamptz, payload bytea, key bytea, type text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT link.event_id, link.created_at, entry.payload, entry.key, entry.type
      FROM audit_chain AS link
      LEFT JOIN LATERAL (
               SELECT audit_log.payload, audit_log.key, audit_log.type FROM audit_log
                WHERE audit_log.event_id = link.event_id
                  AND audit_log.created_at = link.created_at
                LIMIT 1
           ) AS entry ON true
     WHERE link.event_id = ANY (ids);
END;

-- Those of these messages of which the database knows nothing. Scalar sub-selects are looked up for
-- each id; EXISTS may be answered from a hash table of all rows instead.
CREATE OR REPLACE FUNCTION unknown_messages(reader text, ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id
      FROM unnest(ids) AS id
     WHERE CASE WHEN (SELECT true FROM parked_commands WHERE command_id = id LIMIT 1)
                  OR (SELECT true FROM dead_letter_actions WHERE message_id = id LIMIT 1)
                THEN false
                WHEN reader = 'audit'
                THEN (SELECT true FROM audit_log WHERE event_id = id LIMIT 1) IS NULL
                 AND (SELECT true FROM audit_chain WHERE event_id = id LIMIT 1) IS NULL
                WHEN (SELECT true FROM inbox WHERE message_id = id AND consumer = reader LIMIT 1)
                THEN false
                WHEN reader = 'verification-mails'
                THEN (SELECT true FROM mail_requests WHERE event_id = id LIMIT 1) IS NOT NULL
                  OR (SELECT true FROM audit_log WHERE event_id = id LIMIT 1) IS NULL
                ELSE true
           END
$$;

-- As before, but for how it finds the refresh tokens.
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
     WHERE session_id = ANY (ARRAY(SELECT id FROM sessions WHERE user_id = ANY(people)));
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
