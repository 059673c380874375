"""A relay's lease: renewed beside its work, and over when that fails (ADR 25).

The database judges leases by its own clock. The holder judges its own more strictly, by its
monotonic clock from before each renewal, so it stops before another relay may begin. A process that
was stopped finds its lease over when it goes on.
"""

import asyncio
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import structlog

from infra.postgres.pool import Connection
from workers.relay import store

log = structlog.get_logger(__name__)

LEASE_SECONDS = 8.0
RENEW_SECONDS = 2.0
MARGIN_SECONDS = 1.0
"""So much earlier than the database the holder takes its lease for over."""


class LeaseLostError(Exception):
    """The lease was not renewed in time; other relays may own its shards."""


class Lease:
    """The lease of one relay for one session. `keep` runs beside the work."""

    def __init__(
        self,
        conn: Connection,
        *,
        seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.relay: UUID = uuid4()
        self._conn = conn
        self._seconds = seconds
        self._clock = clock
        self._until = float("-inf")

    @property
    def is_held(self) -> bool:
        """Whether no other relay can own our shards at this moment."""
        return self._clock() < self._until

    def check(self) -> None:
        """Raises `LeaseLostError` when the lease is over."""
        if not self.is_held:
            raise LeaseLostError

    async def begin(self) -> None:
        """Take the lease. Raises `UNAVAILABLE`."""
        began = self._clock()
        await store.register(self._conn, self.relay, self._seconds)
        self._extend(began)

    async def keep(self) -> None:
        """Renew until the lease is over. Raises `LeaseLostError`, `UNAVAILABLE`."""
        while True:
            await asyncio.sleep(min(RENEW_SECONDS, self._seconds / 4))
            began = self._clock()
            async with asyncio.timeout(self._seconds):
                if not await store.renew(self._conn, self.relay, self._seconds):
                    self._until = float("-inf")
                    log.warning("relay_lease_lost")
                    raise LeaseLostError
            self._extend(began)

    async def end(self) -> None:
        """Give back the lease and its shards. Raises `UNAVAILABLE`."""
        self._until = float("-inf")
        await store.deregister(self._conn, self.relay)

    def _extend(self, began: float) -> None:
        self._until = began + self._seconds - min(MARGIN_SECONDS, self._seconds / 4)
