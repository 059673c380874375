"""Signing up: an account for an address that nobody has verified yet.

Consumes  signup.commands   SignUp
Emits     users.events      UserSignedUp, UserSignupRepeated, UserCommandExpired
Defines   users
Writes    users             (id, email, address_hash, display_name, password_hash,
                             signup_secret_hash)
          personal_keys     (one for each new user)

Each sign-up of an unverified address is a row of its own: whoever signs up first has no hold over
it. One for a verified address changes nothing, and its owner is informed by mail.
"""
