-- The order that users give their watchlists.
-- Needed by: gateway, watchlist

-- Null for an item that was added since: those follow, in the order in which they were added.
ALTER TABLE watchlist_items ADD COLUMN position integer;

CREATE OR REPLACE VIEW watchlist_entries AS
    SELECT user_id, symbol, note, added_at, position FROM watchlist_items;
