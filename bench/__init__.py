"""The same requests against the system and against two plain services, side by side.

Run by `make bench`; see README.md here for what is the same and what is not.
"""
