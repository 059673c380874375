"""How far other consumers have come, and what is let through when nothing moves."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from contracts.commands import AddToWatchlist
from contracts.ids import uuid7
from contracts.topics import VERIFICATION, VERIFICATION_COMMANDS, WATCHLIST, WATCHLIST_COMMANDS
from infra.kafka.consumer_groups import Committed, Place
from operations.broker import Batch, Broker, Range
from operations.recovery import progress, store
from operations.recovery.apply import Recovery
from operations.recovery.dependencies import dependencies
from operations.recovery.progress import Heads, RecoveryProgress
from tests.support.message_builders import ARecord, a_record, an_envelope
from tests.support.postgres import Database

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VERIFY, ADD = (VERIFICATION_COMMANDS.name, 0), (WATCHLIST_COMMANDS.name, 0)


def at(time: datetime, command: AddToWatchlist) -> ARecord:
    return a_record(command, envelope=an_envelope(command, time=time))


@dataclass
class StoppedBroker:
    """Groups that come no further for some looks, and then to their ends."""

    records: Mapping[Place, list[ARecord]]
    looks: int

    async def committed(self, group: str) -> dict[Place, Committed]:
        offset = 0 if self.looks > 0 else 1_000
        place = VERIFY if group == VERIFICATION.group else ADD
        return {place: Committed(offset)}

    async def members(self, groups: Iterable[str]) -> dict[str, int]:
        self.looks -= 1
        return dict.fromkeys(groups, 1)

    async def read(
        self, topic: str, ranges: Iterable[Range], *, at_most: int = 500
    ) -> AsyncIterator[Batch]:
        for each in ranges:
            records = self.records[topic, each.partition][each.start : each.until]
            yield Batch(each.partition, records[:at_most], each.until)


def broker(looks: int = 1) -> StoppedBroker:
    command = AddToWatchlist(symbol="AAPL")
    times = [NOON + timedelta(seconds=number) for number in range(4)]
    return StoppedBroker(
        {VERIFY: [at(times[1], command), at(times[3], command)], ADD: [at(times[0], command)]},
        looks,
    )


def heads() -> Heads:
    return Heads(cast("Broker", broker()))


def left() -> RecoveryProgress:
    return RecoveryProgress(
        {VERIFICATION.group: {VERIFY: (0, 2)}, WATCHLIST.group: {ADD: (0, 1)}}, 0, ()
    )


async def test_horizon_of_a_consumer_is_the_earliest_record_of_the_others() -> None:
    found = await progress.horizons(heads(), left())
    assert found["watchlist"] == NOON + timedelta(seconds=1)
    assert found["verification-mails"] == NOON + timedelta(seconds=1)
    assert found["signup"] == NOON + timedelta(seconds=1)


async def test_consumer_does_not_wait_for_those_that_write_nothing_it_reads() -> None:
    """No other role reads the table of the watchlist."""
    found = await progress.horizons(heads(), left())
    assert found["verification"] is None
    assert dependencies()["watchlist"] == {"accounts", "signup", "verification", "watchlist"}
    assert dependencies()["signup"] == {"accounts", "signup", "verification"}
    assert dependencies()["accounts"] == {"accounts", "signup", "verification"}
    assert dependencies()["verification"] == {"accounts", "signup", "verification"}


async def test_next_record_of_a_partition_is_read_once_for_each_offset() -> None:
    stopped = broker()
    found = Heads(cast("Broker", stopped))
    assert await found.time_of({VERIFY: (0, 2)}) == NOON + timedelta(seconds=1)
    stopped.records = {}
    assert await found.time_of({VERIFY: (0, 2)}) == NOON + timedelta(seconds=1)
    with pytest.raises(KeyError):
        await found.time_of({VERIFY: (1, 2)})


async def test_last_consumer_with_records_left_has_no_horizon() -> None:
    alone = RecoveryProgress({WATCHLIST.group: {ADD: (0, 1)}}, 0, ())
    found = await progress.horizons(heads(), alone)
    assert set(found.values()) == {None}


async def test_what_is_let_through_stays_so_at_the_next_look(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0)
    points = {
        VERIFICATION.group: {VERIFY[0]: {"0": (0, 2)}},
        WATCHLIST.group: {ADD[0]: {"0": (0, 1)}},
    }
    recovery = Recovery(uuid7(), points)
    async with (await database.pool()).acquire() as conn:
        await store.save_points(conn, recovery.id, "olga", "a test", points)
        await progress.follow(
            broker(looks=4),  # type: ignore[arg-type]
            conn,
            recovery,
            lambda _: None,
            patience=timedelta(0),
        )
        horizons = await conn.fetchval("SELECT horizons FROM recoveries")
    assert datetime.fromisoformat(horizons["watchlist"]) == NOON + timedelta(seconds=3)
