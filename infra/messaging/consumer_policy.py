"""How a consumer fetches, batches and retries its records."""

from dataclasses import dataclass

MAX_COMMANDS = 500
"""Commands that a consumer takes at once, at most: it may have handled so many of a partition
beyond the offset that it has committed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a consumer takes its records."""

    max_records: int = 200
    in_bulk: bool = False
    ordered: bool = False
    """Whether a record that has to wait holds those of other keys too, as in a hash chain."""
    attempts: int = 3
    fetch_min_bytes: int = 1
    fetch_max_wait_ms: int = 500
    backoff_seconds: tuple[float, float] = (0.2, 5.0)
