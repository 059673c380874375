"""Confirming a sign-up by its mailed link and proof of whose sign-up it is (ADR 18)."""
