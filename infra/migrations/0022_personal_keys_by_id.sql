-- Keys of personal data are read one by one, by whoever knows whose they are: no role can list them.
-- What each role may do is no longer in migrations: infra/postgres/rights.py has it, and
-- `qnt9 migrate` gives and takes it after the migrations.
-- Needed by: accounts, audit, signup, verification, watchlist

CREATE FUNCTION user_key(user_id uuid) RETURNS SETOF bytea ROWS 1
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT secret FROM personal_keys WHERE id = 'user:' || user_id;
END;

CREATE FUNCTION day_key(day date) RETURNS SETOF bytea ROWS 1
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT secret FROM personal_keys WHERE personal_keys.id = 'day:' || to_char(day, 'YYYY-MM-DD');
END;

-- Keys that nobody destroys before the transaction ends: a row of the audit log is written meanwhile.
CREATE FUNCTION hold_personal_keys(ids text[]) RETURNS TABLE (id text, secret bytea)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id, secret
      FROM personal_keys
     WHERE id = ANY (ids)
     ORDER BY id
       FOR KEY SHARE
$$;

ALTER FUNCTION ensure_partitions SET search_path = public, pg_temp;
