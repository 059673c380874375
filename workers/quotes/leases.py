"""Who of all workers asks for a symbol just now: a lease on the cache server.

A rebalance gives a symbol to another worker while the first still asks. Best effort, never long:
without the cache server each asks by itself.
"""

import secrets
from collections.abc import Iterable

from redis.asyncio import Redis

from infra.redis.best_effort_client import BestEffortClient

LEASE_SECONDS = 10
ANSWER_SECONDS = 0.5
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Leases:
    """What this process asks for; a lease that is not given back ends by itself."""

    def __init__(self, redis: Redis, *, seconds: float = LEASE_SECONDS) -> None:
        self._redis = redis
        self._milliseconds = int(seconds * 1000)
        self._own = secrets.token_hex(8)
        self._cache_client = BestEffortClient("leases", seconds=ANSWER_SECONDS)

    async def take(self, symbols: Iterable[str]) -> set[str]:
        """Those of the symbols that are ours to ask for."""
        wanted = list(symbols)
        if not wanted:
            return set()
        pipeline = self._redis.pipeline(transaction=False)
        for symbol in wanted:
            pipeline.set(_key(symbol), self._own, nx=True, px=self._milliseconds)
        taken = await self._cache_client.ask(pipeline.execute)
        if taken is None:
            return set(wanted)
        return {symbol for symbol, ours in zip(wanted, taken, strict=True) if ours}

    async def release(self, symbols: Iterable[str]) -> None:
        """Give leases back. Those that another process has taken since stay that one's."""
        pipeline = self._redis.pipeline(transaction=False)
        for symbol in symbols:
            pipeline.eval(_RELEASE, 1, _key(symbol), self._own)
        await self._cache_client.ask(pipeline.execute)


def _key(symbol: str) -> str:
    return f"qnt9:quote-lease:{symbol}"
