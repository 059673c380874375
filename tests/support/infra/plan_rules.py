"""What a plan of the product may read: what an index leads to, and nothing whole.

A scan without an index condition reads a whole table or index, alone or inside a nested loop, a
hash join or a merge join. The exceptions are named here, each with its reason.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

SMALL_TABLES: Mapping[str, str] = {
    "audit_heads": "one row for each partition of an event topic",
    "relays": "one row for each running relay",
    "relay_shards": "one row for each shard, 64 in all",
    "recoveries": "one row for each time a database was restored",
    "outbox_other": "the default partition: empty as long as daily partitions are made",
    "parked_commands": "dead letters that operators have not decided on yet",
}
INDEXES_OF_WHAT_WAITS: Mapping[str, str] = {
    r"outbox_\w+_seq_idx": "unpublished events, read in order with a limit",
    "recovered_events_awaited": "events that are not made again yet, after a restore",
    "dead_letter_actions_untold": "actions of which no event has told yet",
    "users_admins": "administrators, who are locked together",
}
"""Partial indexes whose rows leave as soon as they are dealt with, or of which there are few."""
WHOLE_READS: Mapping[str, str] = {
    "operations/audit/verification.py": "an operator's check of the whole log",
    "operations/recovery/": "an operator's comparison of the whole log with Kafka, after a restore",
    "operations/users.py::find": "an operator's look for every spelling of an address",
    "operations/users.py::_end_some": "an operator's end of all sessions, in order of their ids",
    "workers/quotes/store.py::named": "looks into names; one row for each symbol ever quoted",
}
"""Statements, by the beginning of their names."""
OPTIONAL_FILTERS: Mapping[str, str] = {
    "gateway/queries.py::users": "'a', 'b', NULL, NULL, 10",
    "gateway/queries.py::audit_entries": (
        "gen_random_uuid(), NULL, NULL, NULL, NULL, NULL, NULL, 10"
    ),
    "operations/audit/entries.py::entries": ("NULL, gen_random_uuid(), NULL, NULL, NULL, NULL, 10"),
}
"""Statements whose conditions fall away with the values that are NULL, and such values. The plan
for all values costs more than one for these, so PostgreSQL keeps making them."""

_WHOLE_SCANS = {"Seq Scan", "Sample Scan"}
_INDEX_SCANS = {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A plan's node and everything below it."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def whole_reads(plan: Mapping[str, Any]) -> list[str]:
    """What a plan reads whole that no exception names, in the words of EXPLAIN."""
    return [
        f"{node['Node Type']} of {node.get('Index Name') or node.get('Relation Name')}"
        for node in nodes(plan)
        if _reads_all(node) and not _is_allowed(node)
    ]


def is_whole_read(statement: str) -> bool:
    """Whether a statement may read everything."""
    return any(statement.startswith(name) for name in WHOLE_READS)


def _reads_all(node: Mapping[str, Any]) -> bool:
    kind = node["Node Type"]
    return kind in _WHOLE_SCANS or (kind in _INDEX_SCANS and "Index Cond" not in node)


def _is_allowed(node: Mapping[str, Any]) -> bool:
    index, table = node.get("Index Name", ""), node.get("Relation Name", "")
    small = table in SMALL_TABLES or any(index.startswith(f"{name}_") for name in SMALL_TABLES)
    return small or any(re.fullmatch(name, index) for name in INDEXES_OF_WHAT_WAITS)
