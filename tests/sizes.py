"""Two sizes of one proof: small in `make test`, full in `make prove`."""

import os

FULL = os.environ.get("QNT9_PROVE") == "full"


def size(small: int, full: int) -> int:
    """How much of it this run does."""
    return full if FULL else small
