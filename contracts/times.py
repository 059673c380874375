"""Times as clients read them."""

from datetime import UTC, datetime


def in_utc(time: datetime) -> str:
    """The time in RFC 3339, in UTC, which is written `Z`."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
