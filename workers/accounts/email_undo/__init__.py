"""Undoing a change of address by whoever reads the former address."""
