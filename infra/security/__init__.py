"""Seals, tokens, password hashes, TLS, keys of personal data, and the policy of secrets."""
