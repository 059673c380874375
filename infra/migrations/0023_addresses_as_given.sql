-- Addresses are kept as they were given, and compared by the hash of their folded form: admins who
-- ask for the user with an address are answered by that.
-- Needed by: gateway

CREATE OR REPLACE VIEW profiles AS
    SELECT id, email, display_name, email_confirmed_at, tier, permissions, version, created_at,
           address_hash
      FROM users
     WHERE erased_at IS NULL AND superseded_at IS NULL;
