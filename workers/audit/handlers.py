"""Events into the log, a batch at a time."""

from collections.abc import Sequence

from contracts.topics import AUDIT
from infra.postgres.pool import Pool
from infra.postgres.recovery import Memory
from infra.received import AnyEvent, Received
from workers.audit import store
from workers.audit.rules import open_client, sealed_client


async def record_events(pool: Pool, memory: Memory, batch: Sequence[Received[AnyEvent]]) -> None:
    """Three statements: whether the log has the last batch, the keys of this, and all its new rows.

    One transaction: whoever erases a person waits for what their key has opened to be written.
    Raises `RestoredDatabaseError` when the log was replaced by an older one.
    """
    sealed = [sealed_client(received) for received in batch]
    wanted = {each.key_id for each in sealed if each and each.key_id}
    async with pool.acquire() as conn, conn.transaction():
        await memory.confirm(conn, AUDIT.name)
        keys = await store.hold_keys(conn, wanted) if wanted else {}
        clients = [open_client(each, keys) for each in sealed]
        await store.insert(conn, list(zip(batch, clients, strict=True)))
    memory.remember(batch[-1].envelope.id)


HANDLES = {AnyEvent: record_events}
