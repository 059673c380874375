"""Whose commands decide what becomes of a command: those of roles that write what its role reads.

Derived from the rights that the database enforces, so that a new table needs no entry here.
"""

from collections.abc import Mapping
from functools import cache

from infra.postgres.privileges import LOCK, ROLES
from infra.postgres.rights import RIGHTS

OF_ONE_CONSUMER = frozenset(
    {"consumer_instructions", "consumer_pauses", "inbox", "outbox", "parked_commands"}
)
"""Tables that all consumers share and of which each sees its own rows alone."""
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE"})


@cache
def dependencies() -> Mapping[str, frozenset[str]]:
    """By role, the roles that write a table which it reads."""
    return {role: frozenset(r for r in ROLES if _read(role) & _written(r)) for role in ROLES}


def _read(role: str) -> set[str]:
    return _tables(role, frozenset({"SELECT"}))


def _written(role: str) -> set[str]:
    return _tables(role, _WRITES)


def _tables(role: str, verbs: frozenset[str]) -> set[str]:
    return {
        name
        for name, rights in RIGHTS.items()
        if name not in OF_ONE_CONSUMER
        and any(right.verb in verbs and right != LOCK for right in rights.get(role, ()))
    }
