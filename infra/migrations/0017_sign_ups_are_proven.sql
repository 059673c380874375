-- A mailed link alone does not confirm a sign-up: whoever redeems it also proves the sign-up, by its
-- password or by the secret that was answered to whoever signed up. The slice that may compare a
-- password is the one that confirms.
-- Needed by: signup, accounts

ALTER TABLE users ADD COLUMN signup_secret_hash bytea;

GRANT INSERT (signup_secret_hash) ON users TO qnt9_signup;
GRANT UPDATE (email_confirmed_at, superseded_at, signup_secret_hash) ON users TO qnt9_accounts;
