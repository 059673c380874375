"""Accounts: who may sign in, and the sessions that begin when they do.

Consumes  signin.commands     SignIn
          accounts.commands   RefreshToken, SignOut, RevokeSession
Emits     users.events        UserSignedIn, UserSigninFailed, UserTokenRefreshed,
                              UserTokenReuseDetected, UserSignedOut, UserSessionRevoked
Defines   sessions, refresh_tokens
Writes    sessions            (id, user_id, last_used_at, expires_at, ended_at)
          refresh_tokens      (token_hash, session_id, expires_at, spent_at)
          users               (password_hash, updated_at: a hash with older parameters is renewed)
          personal_keys       (the day's, for addresses that nobody has)

An address and password that do not match cost the same work and get the same answer whether or
not somebody has the address. Past its deadline a command changes nothing. What is asked about
sessions that have begun is in `sessions.py`, apart from the hashing (ADR 10).
"""
