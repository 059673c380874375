"""The audit worker's share of PostgreSQL costs the same on every new system."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from infra.messaging import message_rows
from infra.postgres.pool import Pool, open_pool
from infra.runtime.settings import PostgresSettings
from tests.support.evidence import Evidence
from tests.support.infra.backend_cpu import backend_cpu_seconds, reference_cpu_seconds
from tests.support.postgres import Database, Server, copy_of
from tests.support.sizes import FULL, size
from tests.support.stack import PORT_BASE, running_stack
from tests.support.waiting import eventually
from tests.support.workers.audit_slice import an_audit, an_envelope_of_type, an_event_record

RUNS = size(2, 20)
EVENTS = size(2_000, 10_000)
MAX_SPREAD = size(2.0, 1.5)
"""The dearest run divided by the cheapest: 2.4 where plans for an empty log are kept, 1.1 here."""
EVENTS_A_BATCH = 50
FIRST_BATCHES = 10
ROLE = "qnt9_audit"


@dataclass(frozen=True)
class Cost:
    """CPU-seconds for 1,000 events, and of a fixed piece of work at the same time."""

    seconds: float
    reference: float

    @property
    def relative(self) -> float:
        return self.seconds / self.reference


async def cost_on_a_new_database(server: Server, template: str, analysed_after: int) -> Cost:
    """CPU-seconds for 1,000 events, of the code of the worker; autovacuum comes at this batch.

    The first batches have one event, so that PostgreSQL chooses the plans that it keeps while the
    log is nearly empty.
    """
    async with copy_of(server, template) as database:
        audit = an_audit(database, await database.pool(ROLE))
        sizes = [1] * FIRST_BATCHES + [EVENTS_A_BATCH] * (EVENTS // EVENTS_A_BATCH)
        for batch, events in enumerate(sizes):
            if batch == analysed_after:
                await analyse(database)
            now = datetime.now(UTC)
            await audit.take(*(an_event_record(time=now) for _ in range(events)))
        assert len(await audit.rows()) == sum(sizes)
        connection = await asyncpg.connect(database.superuser_dsn())
        try:
            used = await backend_cpu_seconds(connection, ROLE)
            reference = await reference_cpu_seconds(connection)
        finally:
            await connection.close()
        return Cost(sum(used.values()) / sum(sizes) * 1_000, reference)


async def analyse(database: Database) -> None:
    for table in ("audit_chain", "audit_heads", "audit_log", "recovered_events"):
        await database.execute(f"VACUUM ANALYZE {table}")


async def cost_on_a_new_stack(folder: Path) -> Cost:
    """CPU-seconds for 1,000 events, of the running worker."""
    with running_stack(folder, port_base=PORT_BASE) as stack:
        settings = PostgresSettings(postgres_dsn=SecretStr(stack.urls["postgres"]["dsn"]))
        async with open_pool(settings, instance="test") as pool, pool.acquire() as conn:
            recorded = await events_in_log(pool)
            before = await backend_cpu_seconds(conn, ROLE)
            for _ in range(EVENTS // EVENTS_A_BATCH):
                async with pool.acquire() as emitting, emitting.transaction():
                    events = [an_event() for _ in range(EVENTS_A_BATCH)]
                    await message_rows.save(emitting, "watchlist", [], events)

            async def is_recorded() -> bool:
                return await events_in_log(pool) >= recorded + EVENTS

            await eventually(is_recorded, seconds=240, what="every event in the log", every=0.5)
            used = await backend_cpu_seconds(conn, ROLE)
            reference = await reference_cpu_seconds(conn)
    seconds = sum(used[pid] - before.get(pid, 0.0) for pid in used)
    return Cost(seconds / EVENTS * 1_000, reference)


def an_event() -> message_rows.Emitted:
    envelope = an_envelope_of_type("qnt9.watchlist.item_added.v1", time=datetime.now(UTC))
    return message_rows.Emitted(envelope, "watchlists", str(envelope.id), "{}")


async def events_in_log(pool: Pool) -> int:
    count: int = await pool.fetchval("SELECT coalesce(sum(length), 0)::int FROM audit_heads")
    return count


async def costs(local_template: tuple[Server, str], folder: Path) -> list[Cost]:
    """Small: the worker's code on new databases, analysed early and late. Full: new stacks."""
    if FULL:
        return [await cost_on_a_new_stack(folder / f"stack-{run}") for run in range(RUNS)]
    return [
        await cost_on_a_new_database(*local_template, analysed_after=run * FIRST_BATCHES)
        for run in range(RUNS)
    ]


@pytest.mark.prove
@pytest.mark.timeout(size(300, 3_600))
async def test_plans(
    local_template: tuple[Server, str], tmp_path: Path, evidence: Evidence
) -> None:
    found = sorted(await costs(local_template, tmp_path), key=lambda cost: cost.relative)
    least, middle, most = found[0], found[len(found) // 2], found[-1]
    spread = most.relative / least.relative
    evidence.record(
        "Plans",
        "PostgreSQL's CPU for the audit worker on new systems, one after the other, each from its"
        f" first {EVENTS:,} events; compared by what a fixed piece of work took at the same time.",
        {
            "new systems": RUNS,
            "CPU-seconds for 1,000 events, least": f"{least.seconds:.3f}",
            "middle": f"{middle.seconds:.3f}",
            "most": f"{most.seconds:.3f}",
            "most / least": f"{spread:.2f} (at most {MAX_SPREAD})",
        },
    )
    assert spread <= MAX_SPREAD, found
