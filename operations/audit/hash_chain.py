"""The hash chain of the audit log, computed apart from the database that keeps it. Pure.

The database extends the chains (infra/migrations/0014_audit_chain.sql); this is the same
definition once more, for who does not take its word. Prefixes keep leaves and links apart, as in
RFC 9162, section 2.1.1.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

START = bytes(32)
"""What the first link of each chain stands on."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS = ("action", "type", "correlation_id", "topic", "partition", "offset", "headers", "details")


def leaf(row: Mapping[str, Any]) -> bytes:
    """The hash of a row of `audit_log`, all of it but address and client.

    `headers` and `details` are the texts of their `jsonb`, as PostgreSQL writes it.
    """
    created = (row["created_at"] - _EPOCH) // timedelta(microseconds=1)
    user = row["user_id"]
    fields = [
        str(row["event_id"]).encode(),
        str(created).encode(),
        None if user is None else str(user).encode(),
        *(str(row[name]).encode() for name in _TEXTS),
        row["key"],
        row["payload"],
    ]
    return sha256(b"\0" + b"".join(map(_field, fields))).digest()


def link(previous: bytes, leaf_: bytes) -> bytes:
    """The hash of a link on top of another."""
    return sha256(b"\1" + previous + leaf_).digest()


def _field(content: bytes | None) -> bytes:
    """Four bytes of length in front; only those, all ones, for what is null."""
    return b"\xff" * 4 if content is None else len(content).to_bytes(4, "big") + content
