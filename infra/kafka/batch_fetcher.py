"""How a consumer fetches: it returns when there is something, and under load with what follows.

What was fetched ahead is what came first after the fetch before it; the rest lies at the broker
until that is taken. Handled with company a record costs less, and waits a moment for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError

from infra.kafka.aiokafka_internals import begin_at_committed, partition_states

log = structlog.get_logger(__name__)

FEW = 4
GATHER_SECONDS = 0.002

Fetched = dict[Any, list[Any]]
"""Records by partition."""
GetMany = Callable[..., Awaitable[Fetched]]


class BatchFetcher:
    """Fetches for one consumer. Whoever comes alone after few others waits for nobody."""

    def __init__(self, touch: Callable[[], None]) -> None:
        self._touch = touch
        self._last = 0

    async def fetch(self, getmany: GetMany, *, timeout_ms: int, max_records: int) -> Fetched:
        """Return at least one record, however long that takes, and at most `max_records`."""
        fetched: Fetched = {}
        while not fetched:
            fetched = await getmany(timeout_ms=timeout_ms, max_records=max_records)
            self._touch()
        room = max_records - _count(fetched)
        if self._last > FEW and room > 0:
            await asyncio.sleep(GATHER_SECONDS)
            _add(fetched, await _what_follows(getmany, room))
        self._last = _count(fetched)
        return fetched


async def _what_follows(getmany: GetMany, room: int) -> Fetched:
    """Nothing when it fails: what is in hand was given out for good, and must not go with it.

    What fails for longer fails the next fetch, which has nothing in hand.
    """
    try:
        return await getmany(timeout_ms=0, max_records=room)
    except ConsumerStoppedError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the records in hand are good
        log.warning("fetch_cut_short", error=type(error).__name__, detail=str(error)[:200])
        return {}


def _add(fetched: Fetched, more: Fetched) -> None:
    for partition, records in more.items():
        fetched.setdefault(partition, []).extend(records)


def _count(fetched: Fetched) -> int:
    return sum(map(len, fetched.values()))


class BatchFetchingConsumer(AIOKafkaConsumer):
    """FastStream's own loop asks it. Each partition has the same share of a fetch.

    aiokafka gives out all that it has of one partition before the next: a backlog of sign-ups in
    one, at a hash each, would hold up those in the others for as long.

    What a failed fetch has drained is fetched again. aiokafka moves on in one partition, and drops
    its records when those of another are corrupt: the next commit would pass them.
    """

    batch_fetcher: BatchFetcher

    async def getmany(self, *partitions: Any, **options: Any) -> Any:
        """Fetch in batches. Blocks until there is a record; raises errors of aiokafka."""
        return await self.batch_fetcher.fetch(partial(self._all_or_nothing, *partitions), **options)

    async def _all_or_nothing(self, *partitions: Any, **options: Any) -> Any:
        states = partition_states(self)
        before = {s: s.position for s in states.values() if s.has_valid_position}
        try:
            return await self._from_each(*partitions, **options)
        except Exception:
            for partition, state in partition_states(self).items():
                if state not in before:  # assigned meanwhile: from where the group has committed
                    begin_at_committed(self, partition)
                elif state.has_valid_position and state.position != before[state]:
                    self.seek(partition, before[state])
            raise

    async def _from_each(self, *partitions: Any, timeout_ms: int, max_records: int) -> Fetched:
        """At most `max_records`, at first a share of each partition, then whatever there is."""
        places = partitions or tuple(self.assignment())
        share = max(1, max_records // max(1, len(places)))
        fetched: Fetched = dict(
            await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=share)
        )
        if _count(fetched) < share:  # that was all
            return fetched
        for place in places:
            room = min(share - len(fetched.get(place, ())), max_records - _count(fetched))
            if room > 0:
                _add(fetched, await super().getmany(place, timeout_ms=0, max_records=room))
        if room := max_records - _count(fetched):
            _add(fetched, await super().getmany(*partitions, timeout_ms=0, max_records=room))
        return fetched
