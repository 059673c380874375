"""Signing in: an address and a password become a session, or the same refusal."""
