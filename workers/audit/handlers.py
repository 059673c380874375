"""Events into the log, a batch at a time."""

from collections.abc import Sequence

from infra.postgres.pool import Pool
from infra.received import AnyEvent, Received
from workers.audit import store
from workers.audit.rules import open_client, sealed_client


async def record_events(pool: Pool, batch: Sequence[Received[AnyEvent]]) -> None:
    """Two statements: the keys of the batch, and all its rows that are not there yet.

    One transaction: whoever erases a person waits for what their key has opened to be written.
    """
    sealed = [sealed_client(received) for received in batch]
    wanted = {each.key_id for each in sealed if each and each.key_id}
    async with pool.acquire() as conn, conn.transaction():
        keys = await store.hold_keys(conn, wanted) if wanted else {}
        clients = [open_client(each, keys) for each in sealed]
        await store.insert(conn, list(zip(batch, clients, strict=True)))


HANDLES = {AnyEvent: record_events}
