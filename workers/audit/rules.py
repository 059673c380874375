"""What an event becomes in the log: defined in `infra.audit.entry`, which also verifies by it."""

from infra.audit.entry import (
    Client,
    Entry,
    action_of,
    details_of,
    entry_of,
    open_client,
    sealed_client,
    split_contradictions,
    storable,
    user_of,
)

__all__ = [
    "Client",
    "Entry",
    "action_of",
    "details_of",
    "entry_of",
    "open_client",
    "sealed_client",
    "split_contradictions",
    "storable",
    "user_of",
]
