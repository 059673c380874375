"""Server-Sent Events: a user's own events and the quotes of the watchlist, as they come.

Watches    users.events, watchlists.events, quotes.events   (every process all of them, no group)
Reads      watchlist_entries, last_quotes (views), the cache

docs/stream.md says what clients see, ADR 14 why it is built so.
"""
