"""What access tokens no longer tell the truth about, announced to every gateway at once.

`{"sessions": [id, …], "users": [id, …]}` on one channel, from the process that made the change,
after it was committed. Best effort: gateways also read it from their views, every few seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

import orjson

CHANNEL = "qnt9:access"
MAX_NAMED = 10_000
"""Sessions and users of one announcement. Whoever changed more is heard of from the views."""


@dataclass(slots=True)
class AccessChanges:
    """Sessions that have ended, users whose tier, permissions or verification has changed."""

    sessions: set[UUID] = field(default_factory=set)
    users: set[UUID] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.sessions or self.users)

    def to_json(self) -> bytes:
        """Return the message that gateways read."""
        return orjson.dumps({"sessions": _texts(self.sessions), "users": _texts(self.users)})

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Raises `ValueError` for anything else."""
        try:
            found = orjson.loads(data)
            if len(found["sessions"]) + len(found["users"]) > MAX_NAMED:
                raise ValueError("an announcement of too many changes")
            return cls(set(map(UUID, found["sessions"])), set(map(UUID, found["users"])))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("no announcement of changes") from error


def _texts(ids: Iterable[UUID]) -> list[str]:
    return [str(each) for each in ids]
