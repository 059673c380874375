"""Replays: a bounded range of a topic copied to another one, or read again by a fresh group."""
