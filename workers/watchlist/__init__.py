"""Watchlists: which symbols a user follows.

Consumes  watchlist.commands   AddToWatchlist, RemoveFromWatchlist
Emits     watchlists.events    WatchlistItemAdded, WatchlistItemRemoved
          users.events         UserCommandExpired
Writes    watchlist_items
Reads     users (id, tier, erased_at), locked while a list changes
"""
