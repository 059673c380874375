-- While a recovery is under way, a command that is refused or changes nothing may have come before
-- what it depends on. It waits until no other consumer has anything earlier left.
-- Needed by: signup, accounts, verification, watchlist

-- By consumer: all other consumers have handled again what came before this time.
ALTER TABLE recoveries ADD COLUMN horizons jsonb NOT NULL DEFAULT '{}';
