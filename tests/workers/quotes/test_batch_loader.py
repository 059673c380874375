import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs

from contracts.commands import LookUpQuote
from tests.support.message_builders import received
from tests.support.waiting import until
from workers.quotes.batch_loader import LookUp, LookUps
from workers.quotes.rules import Asker


class Work:
    """Look-ups that end when they are let, perhaps badly."""

    def __init__(self) -> None:
        self.begun: list[LookUp] = []
        self.rounds = 0
        self.let = asyncio.Event()
        self.error: Exception | None = None

    async def look_up(self, look_ups: Sequence[LookUp]) -> None:
        self.rounds += 1
        self.begun += look_ups
        if self.error:
            raise self.error
        if any(each.subject == "SLOW" for each in look_ups):
            await self.let.wait()


def asked(*symbols: str) -> dict[str, list[Asker]]:
    deadline = datetime.now(UTC) + timedelta(seconds=8)
    return {s: [received(LookUpQuote(symbol=s), deadline=deadline)] for s in symbols}


async def test_what_is_asked_for_within_a_moment_is_looked_up_together() -> None:
    work = Work()
    look_ups = LookUps(work.look_up)
    for symbol in ("A", "B", "C", "A"):
        await look_ups.take(asked(symbol))
    await look_ups.finish()
    assert [look_up.subject for look_up in work.begun] == ["A", "B", "C"]
    assert work.rounds == 1
    assert len(work.begun[0].askers) == 2


async def test_a_slow_look_up_holds_up_no_other_and_is_finished_in_the_end() -> None:
    work = Work()
    look_ups = LookUps(work.look_up, gather_seconds=0)
    await look_ups.take(asked("SLOW"))
    await until(lambda: work.rounds == 1)
    await look_ups.take(asked("QUICK"))
    await until(lambda: work.rounds == 2)
    finishing = asyncio.create_task(look_ups.finish())
    await asyncio.sleep(0)
    assert not finishing.done()
    work.let.set()
    await finishing


async def test_who_comes_while_it_runs_joins_and_who_comes_later_begins_another() -> None:
    work = Work()
    look_ups = LookUps(work.look_up, gather_seconds=0)
    for _ in range(3):
        await look_ups.take(asked("SLOW"))
        await until(lambda: work.rounds == 1)
    (look_up,) = work.begun
    look_ups.close(look_up)
    assert len(look_up.askers) == 3
    await look_ups.take(asked("SLOW"))
    await until(lambda: work.rounds == 2)
    assert len(look_up.askers) == 3
    work.let.set()
    await look_ups.finish()


async def test_what_fails_is_logged_and_others_go_on() -> None:
    work = Work()
    look_ups = LookUps(work.look_up, gather_seconds=0)
    for error, event in (
        (ValueError("a bug"), "look_up_failed"),
        (ExceptionGroup("both", [OSError(), ValueError("a bug")]), "look_up_failed"),
        (ExceptionGroup("away", [OSError()]), "look_up_not_recorded"),
        (OSError(), "look_up_not_recorded"),
    ):
        work.error = error
        with capture_logs() as logs:
            await look_ups.take(asked("QUICK"))
            await look_ups.finish()
        assert [entry["event"] for entry in logs] == [event]
    work.error = None
    await look_ups.take(asked("QUICK"))
    await look_ups.finish()
    assert work.rounds == 5


async def test_no_more_is_taken_on_than_can_be_borne() -> None:
    work = Work()
    look_ups = LookUps(work.look_up, gather_seconds=0, most_open=2)
    await look_ups.take(asked("SLOW", "B"))
    taking = asyncio.create_task(look_ups.take(asked("C")))
    await until(lambda: work.rounds == 1)
    assert not taking.done()
    work.let.set()
    await taking
    await look_ups.finish()


async def test_no_one_asks_and_nothing_happens() -> None:
    look_ups = LookUps(Work().look_up)
    await look_ups.take({})
    await look_ups.finish()
