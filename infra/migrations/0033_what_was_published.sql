-- Commands whose events were not published yet when a database was lost: a command that its group
-- had read, and that may be one of them, is executed again although its deadline has passed.
-- Needed by: signup, accounts, verification, watchlist

-- The time of the last event that was published before the restore and that the database has lost.
ALTER TABLE recoveries ADD COLUMN published_until timestamptz;
