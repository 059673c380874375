"""Seals, tokens, password hashes, and the encryption of clients and addresses."""
