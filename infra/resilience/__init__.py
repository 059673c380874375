"""Calls to servers that may be away: retries, circuit breakers, and which server answers."""
