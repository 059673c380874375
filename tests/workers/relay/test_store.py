from tests.support.postgres import Database
from tests.support.workers.relay_slice import Outbox
from workers.relay import store
from workers.relay.rules import SHARDS

WHOLE_READS = """
    SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_xact_user_tables WHERE relname LIKE 'outbox%'
"""


async def test_no_turn_reads_the_whole_outbox(outbox: Outbox, database: Database) -> None:
    pool = await database.pool("qnt9_relay")
    async with pool.acquire() as conn:
        for _ in range(8):  # so that Postgres settles on one plan, as it does in a long session
            await outbox.write("anna", "1", "2")
            async with conn.transaction():
                rows = await store.unpublished(conn, SHARDS, [], 10)
                await store.mark_published(conn, rows)
                assert await conn.fetchval(WHOLE_READS) == 0
            assert [row.record.value for row in rows] == [b"1", b"2"]


def test_headers_that_no_worker_writes_are_published_all_the_same() -> None:
    """One row that cannot be read would hold up its shard for good."""
    assert store.headers_of({"a": "text", "b": 5, "c": None, "d": ["x"]}) == [
        ("a", b"text"),
        ("b", b"5"),
        ("c", b"None"),
        ("d", b"['x']"),
    ]
    assert store.headers_of([]) == store.headers_of("text") == store.headers_of(5) == []
