"""Verifying addresses: mailed links and their redemption; the process that also notifies.

Consumes  verification.commands   VerifyEmail, ResendVerification, ForgotPassword
          users.events            UserSignedUp, UserSignupRepeated, UserPasswordChanged,
                                  UserPasswordReset, UserEmailChangeRequested, UserEmailChanged,
                                  UserSignedIn, UserTokenReuseDetected, UserErased; the others
                                  are only settled
Emits     users.events            UserEmailChanged, UserVerificationRequested,
                                  UserPasswordResetRequested, UserMailFailed,
                                  UserCommandExpired
Defines   mails, mailed_tokens, mail_requests, mail_allowances, farewells
Writes    mails, mailed_tokens, mail_allowances (and removes what is old: ADR 15)
          sessions                (ended_at: when another address was confirmed)
          users                   (email, address_hash, email_confirmed_at, superseded_at,
                                  version, updated_at)
Removes   mail_requests           (written by the database with every event of a user; no mail
                                  is sent for an event that has none)
          farewells               (written when a user is erased, gone with the last mail)
Reads     users                   (all but password_hash), an address' rows locked in id order
          personal_keys
          recovered_events        (whose mails are made again)

A token is the HMAC of its mail's id: the database holds its hash alone, and a mail rendered again
is the same mail with the same link. `workers.notifications` has the mails and the
loop that sends them; both slices run in this process (ADR 8). Tokens of sign-ups and for new
passwords are mailed here and redeemed by the slice that hashes (ADR 11, 27).
"""
