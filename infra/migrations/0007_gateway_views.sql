-- All that the gateway may read: views without a credential in any of them.

CREATE VIEW command_outcomes AS
    SELECT message_id AS id, type, actor_id, fingerprint, outcome, handled_at
      FROM inbox
     WHERE outcome IS NOT NULL;

CREATE VIEW commands_parked AS
    SELECT command_id AS id FROM parked_commands;

CREATE VIEW profiles AS
    SELECT id, email, display_name, email_confirmed_at, tier, permissions, version, created_at
      FROM users
     WHERE erased_at IS NULL AND superseded_at IS NULL;

CREATE VIEW watchlist_entries AS
    SELECT user_id, symbol, note, added_at FROM watchlist_items;

CREATE VIEW last_quotes AS
    SELECT symbol, quote, as_of, fetched_at FROM quotes;

GRANT SELECT ON command_outcomes, commands_parked, profiles, watchlist_entries, last_quotes
   TO qnt9_gateway;
