"""How much of what a caller may do: named policies, counted in the cache server, shared trips.

docs/limits.md lists the routes, their keys and their numbers.
"""
