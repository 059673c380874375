"""Watchlists: which symbols a user follows.

Consumes  watchlist.commands   AddToWatchlist, RemoveFromWatchlist, ReorderWatchlist
Emits     watchlists.events    WatchlistItemAdded, WatchlistItemRemoved, WatchlistReordered
          users.events         UserCommandExpired
Writes    watchlist_items
Reads     users (id, tier, erased_at), locked while a list changes
"""
