-- Dead letters of a person's commands are encrypted under that person's key, and commands that have
-- waited for long enough as dead letters are given up by their consumer (infra/messaging/dead_letter_expiry.py).
-- Needed by: accounts, signup, verification, watchlist

-- The keys of users; null for somebody who was erased. Users that never were have no row.
CREATE FUNCTION dead_letter_keys(ids uuid[]) RETURNS TABLE (user_id uuid, secret bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT users.id, personal_keys.secret
      FROM users
      LEFT JOIN personal_keys ON personal_keys.id = 'user:' || users.id
     WHERE users.id = ANY (ids);
END;

CREATE INDEX parked_commands_parked_at ON parked_commands (consumer, parked_at);
