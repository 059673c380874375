"""The HTTP gateway: validates, publishes commands, waits for outcomes, reads views. Nothing else.

Publishes  *.commands
Reads      command_outcomes, commands_parked, profiles, watchlist_entries, last_quotes,
           sessions_open, sessions_ended, users_changed, activity (views)
"""
