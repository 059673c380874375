"""Accounts: who may sign in, the sessions that begin when they do, passwords, profiles, the end.

Consumes  signin.commands     SignIn
          accounts.commands   RefreshToken, SignOut, RevokeSession, UpdateProfile,
                              ChangeTier, ChangePermissions
          passwords.commands  ChangePassword, ResetPassword, ConfirmSignUp, ChangeEmail,
                              UndoEmailChange, EraseAccount
Emits     users.events        UserSignedIn, UserSigninFailed, UserTokenRefreshed,
                              UserTokenReuseDetected, UserSignedOut, UserSessionRevoked,
                              UserPasswordChanged, UserPasswordCheckFailed, UserPasswordReset,
                              UserEmailVerified, UserEmailChangeUndone,
                              UserEmailChangeRequested, UserProfileUpdated, UserErased,
                              UserTierChanged, UserPermissionsChanged, UserCommandExpired
Defines   sessions, refresh_tokens
Writes    sessions            (id, user_id, last_used_at, expires_at, ended_at, ip_address,
                              user_agent, program, network)
          refresh_tokens      (token_hash, session_id, expires_at, spent_at, late_run)
          users               (password_hash, display_name, tier, permissions, version,
                              updated_at, email_confirmed_at, superseded_at,
                              signup_secret_hash, email, address_hash: when undone)
          farewells           (user_id, secret, email)
          mailed_tokens       (used_at, voided_at: of sign-ups, resets, and of links before a new
                              password)
          personal_keys       (the day's, for addresses that nobody has)
Removes   sessions, refresh_tokens, when they have expired long ago (ADR 15)

An address and password that do not match cost the same work and get the same answer whether or
not somebody has the address. Past its deadline a command changes nothing. Each
sub-slice has the same files: `signin`, `sessions` (apart from the hashing, ADR 10), `passwords`,
`confirmation` of a sign-up (ADR 18), `email_undo`, `profile` (ADR 11) and `administration`. Erasing
is the database's function `erase_user`, which reaches what this slice may not.
"""
