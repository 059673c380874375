"""The command that tests of restarts send."""

from contracts.commands import AddToWatchlist

COMMAND = AddToWatchlist(symbol="AAPL")
