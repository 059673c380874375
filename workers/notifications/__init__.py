"""Notifications: the mails that events call for, their queue, templates, and the loop that sends.

Consumes  users.events            UserSignedUp, UserSignupRepeated, UserPasswordChanged,
                                  UserPasswordReset, UserEmailChangeRequested, UserEmailChanged,
                                  UserSignedIn, UserTokenReuseDetected, UserErased; the others
                                  are only settled
Emits     users.events            UserMailFailed
Defines   mails, mail_requests, mail_allowances, farewells
Writes    mailed_tokens           (voided_at: of links that a change of address ends)
Reads     users                   (all but password_hash)
          personal_keys

It runs in the process of `verification`, with that role's rights, and beside its consumer: a link
is a token of that slice in a mail of this one. `verification` uses this slice, never the reverse.
`sender.py` runs beside the consumers (ADR 8).
"""
