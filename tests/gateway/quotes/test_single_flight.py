import asyncio
from functools import partial

from gateway.quotes.single_flight import SingleFlight
from tests.support.waiting import until


class Worker:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let = asyncio.Event()
        self.answer = "well"

    async def ask(self, subject: str) -> str:
        self.asked.append(subject)
        await self.let.wait()
        return self.answer


def single_flight() -> SingleFlight[str]:
    return SingleFlight(is_negative=lambda answer: answer == "vain")


async def test_all_who_ask_at_once_are_one_question() -> None:
    worker = Worker()
    it = single_flight()
    waiting = [asyncio.create_task(it.answer("A", partial(worker.ask, "A"), 5)) for _ in range(100)]
    await until(lambda: worker.asked == ["A"])
    worker.let.set()
    assert set(await asyncio.gather(*waiting)) == {"well"}
    assert worker.asked == ["A"]
    await until(lambda: not it._tasks)
    assert await it.answer("A", partial(worker.ask, "A"), 5) == "well"
    assert worker.asked == ["A", "A"]


async def test_who_does_not_wait_that_long_leaves_it_under_way() -> None:
    worker = Worker()
    it = single_flight()
    assert await it.answer("A", partial(worker.ask, "A"), 0.01) is None
    worker.let.set()
    assert await it.answer("A", partial(worker.ask, "A"), 5) == "well"
    assert worker.asked == ["A"]


async def test_what_was_in_vain_is_not_asked_again_at_once() -> None:
    worker = Worker()
    worker.answer = "vain"
    worker.let.set()
    it = single_flight()
    for _ in range(10):
        assert await it.answer("A", partial(worker.ask, "A"), 5) == "vain"
    assert worker.asked == ["A"]
    await until(lambda: not it._tasks)
    await it.answer("A", partial(worker.ask, "A"), 5)
    assert worker.asked == ["A", "A"]
