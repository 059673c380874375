"""Whether the audit log is whole: every row in its chain, every chain as checkpoints have it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import asyncpg

from infra.audit.checkpoints import Checkpoint, Head
from infra.postgres.pool import Connection
from operations.audit.hash_chain import START, leaf, link

PAGE = 1_000
DISPLAYED = 10
"""Of rows that are in no chain, so many are named."""

Row = asyncpg.Record
Progress = Callable[[int], None]


@dataclass
class Report:
    """What was looked at, and what is wrong, in words; of each chain its first fault."""

    entries: int = 0
    chains: int = 0
    checkpoints: int = 0
    newest: Checkpoint | None = None
    unproven: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By chain, the first and the last entry that come after every checkpoint."""
    compared: bool = False
    rows: int = 0
    records: int = 0
    """Rows and records that were compared with one another; none without Kafka."""
    faults: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.faults

    def count_unproven(self) -> int:
        """How many entries come after every checkpoint."""
        return sum(last - first + 1 for first, last in self.unproven.values())


@dataclass
class _Walk:
    """How far one chain was followed."""

    length: int = 0
    hash: bytes = START


@dataclass
class Verifier:
    """Follows the chains from their start; asked once more, from where it ended.

    What was followed before is not read again, so only a new one proves a log whole.
    """

    walks: dict[tuple[str, int], _Walk] = field(default_factory=dict)

    async def verify(
        self,
        conn: Connection,
        checkpoints: Iterable[Checkpoint],
        progress: Progress = lambda _: None,
    ) -> Report:
        """`checkpoints` were read before: what has come since they were made is in the log."""
        report = Report()
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            heads = await conn.fetch("SELECT * FROM audit_heads ORDER BY topic, partition")
            promised = self._promised(checkpoints, report)
            for head in heads:
                place = (head["topic"], head["partition"])
                await self._follow(conn, head, promised.pop(place, {}), report, progress)
            for (topic, partition), lengths in promised.items():
                first = next(iter(lengths.values()))
                report.faults.append(f"{topic}/{partition}: has no chain, {_of(first)}")
            report.faults += await _unchained(conn)
        return report

    def _promised(
        self, checkpoints: Iterable[Checkpoint], report: Report
    ) -> dict[tuple[str, int], dict[int, "_Promise"]]:
        """What checkpoints say of each chain, by its length then."""
        promised: dict[tuple[str, int], dict[int, _Promise]] = {}
        for checkpoint in checkpoints:
            report.checkpoints += 1
            report.newest = checkpoint
            for head in checkpoint.heads:
                lengths = promised.setdefault((head.topic, head.partition), {})
                known = lengths.setdefault(head.length, _Promise(head, checkpoint))
                if known.head.hash != head.hash:
                    report.faults.append(
                        f"{head.topic}/{head.partition}: checkpoints of {known.of.at} and "
                        f"{checkpoint.at} contradict each other at entry {head.length}"
                    )
        return promised

    async def _follow(
        self,
        conn: Connection,
        head: Row,
        promised: dict[int, "_Promise"],
        report: Report,
        progress: Progress,
    ) -> None:
        """One chain to its head. Stops at its first fault."""
        name = f"{head['topic']}/{head['partition']}"
        walk = self.walks.setdefault((head["topic"], head["partition"]), _Walk())
        report.chains += 1
        covered = max((n for n in promised if n <= head["length"]), default=0)
        if covered < head["length"]:
            report.unproven[name] = (covered + 1, head["length"])
        promised = {n: each for n, each in promised.items() if n >= walk.length}
        while rows := await _page(conn, head["chain"], walk.length):
            for row in rows:
                fault = _wrong(row, head, walk) or _broken(row["sequence"], walk, promised)
                if fault:
                    report.faults.append(f"{name}: {fault}")
                    return
            report.entries += len(rows)
            progress(len(rows))
        if (walk.length, walk.hash) != (head["length"], head["hash"]):
            fault = f"ends at entry {walk.length}, its head says {head['length']}"
            report.faults.append(f"{name}: {fault}")
        for length, promise in sorted(promised.items()):
            if length > walk.length:
                fault = f"ends at entry {walk.length}, {_of(promise)}"
                report.faults.append(f"{name}: {fault}")
                return


@dataclass(frozen=True)
class _Promise:
    head: Head
    of: Checkpoint


def _wrong(row: Row, head: Row, walk: _Walk) -> str | None:
    """What is wrong with a link; the walk has taken it when nothing is."""
    entry = f"entry {row['sequence']}, event {row['event_id']}"
    if row["sequence"] != walk.length + 1:
        return f"entry {walk.length + 1} is missing"
    if row["payload"] is None:
        return f"{entry}, is not in the log"
    if (row["topic"], row["partition"]) != (head["topic"], head["partition"]):
        return f"{entry}, is of another partition"
    if link(walk.hash, leaf(dict(row))) != row["hash"]:
        return f"{entry}, is not as it was recorded"
    walk.length, walk.hash = row["sequence"], row["hash"]
    return None


def _broken(length: int, walk: _Walk, promised: Mapping[int, _Promise]) -> str | None:
    """Whether checkpoints remember another chain."""
    promise = promised.get(length)
    if promise and promise.head.hash != walk.hash:
        return f"entry {length} is not what the checkpoint of {promise.of.at} has signed"
    return None


def _of(promise: _Promise) -> str:
    return f"the checkpoint of {promise.of.at} has {promise.head.length} entries"


async def _page(conn: Connection, chain: int, after: int) -> list[Row]:
    rows: list[Row] = await conn.fetch(
        """
        SELECT sequence, hash, audit_chain.event_id, audit_chain.created_at, user_id, action, type,
               correlation_id, topic, partition, "offset", headers::text, details::text,
               key, payload
          FROM audit_chain
          LEFT JOIN audit_log USING (event_id, created_at)
         WHERE chain = $1 AND sequence > $2
         ORDER BY sequence
         LIMIT $3
        """,
        chain,
        after,
        PAGE,
    )
    return rows


async def _unchained(conn: Connection) -> list[str]:
    """Rows that never came in the ordinary way, and those that are linked more than once."""
    rows = await conn.fetch(
        """
        SELECT event_id, count(chain) AS links
          FROM audit_log
          LEFT JOIN audit_chain USING (event_id, created_at)
         GROUP BY event_id, created_at
        HAVING count(chain) <> 1
         ORDER BY created_at, event_id
         LIMIT $1
        """,
        DISPLAYED,
    )
    return [
        f"event {row['event_id']} is {'linked twice' if row['links'] else 'in no chain'}"
        for row in rows
    ]
