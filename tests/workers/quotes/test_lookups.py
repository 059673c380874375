import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from contracts.commands import LookUpQuote
from tests.builders import received
from workers.quotes.lookups import LookUp, LookUps
from workers.quotes.rules import Asker


class Work:
    """Look-ups that end when they are let, perhaps badly."""

    def __init__(self) -> None:
        self.begun: list[LookUp] = []
        self.let = asyncio.Event()
        self.error: Exception | None = None

    async def look_up(self, look_up: LookUp) -> None:
        self.begun.append(look_up)
        if look_up.symbol == "SLOW":
            await self.let.wait()
        if self.error:
            raise self.error


def asked(*symbols: str) -> dict[str, list[Asker]]:
    deadline = datetime.now(UTC) + timedelta(seconds=8)
    return {s: [received(LookUpQuote(symbol=s), deadline=deadline)] for s in symbols}


async def test_a_batch_leaves_a_slow_look_up_behind_and_it_is_finished_in_the_end() -> None:
    work = Work()
    look_ups = LookUps(work.look_up, hold_seconds=0.01)
    await look_ups.take(asked("SLOW", "QUICK"))
    assert [look_up.symbol for look_up in work.begun] == ["SLOW", "QUICK"]
    finishing = asyncio.create_task(look_ups.finish())
    await asyncio.sleep(0)
    assert not finishing.done()
    work.let.set()
    await finishing


async def test_who_comes_while_it_runs_joins_and_who_comes_later_begins_another() -> None:
    work = Work()
    look_ups = LookUps(work.look_up, hold_seconds=0.01)
    for _ in range(3):
        await look_ups.take(asked("SLOW"))
    (look_up,) = work.begun
    assert len(look_ups.close(look_up)) == 3
    await look_ups.take(asked("SLOW"))
    assert len(work.begun) == 2
    assert len(look_up.askers) == 3
    work.let.set()
    await look_ups.finish()


async def test_what_fails_in_time_is_raised_and_what_fails_later_is_logged() -> None:
    work = Work()
    work.error = ValueError("a bug")
    look_ups = LookUps(work.look_up, hold_seconds=0.01)
    with pytest.raises(ExceptionGroup) as group:
        await look_ups.take(asked("SLOW", "QUICK"))
    assert group.value.exceptions == (work.error,)
    with capture_logs() as logs:
        work.let.set()
        await look_ups.finish()
        await asyncio.sleep(0)
    assert [entry["event"] for entry in logs] == ["look_up_failed"]


async def test_nobody_asks_and_nothing_happens() -> None:
    look_ups = LookUps(Work().look_up)
    await look_ups.take({})
    await look_ups.finish()
