import asyncio

from redis.exceptions import RedisError
from structlog.testing import capture_logs

from infra.redis.best_effort_client import BestEffortClient
from tests.support.waiting import until


class Server:
    """Answers, fails or hangs, as the test sets it."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.hangs = False

    async def get(self) -> str:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        return "value"


async def test_while_it_is_there_everyone_asks_and_is_answered() -> None:
    server, reach = Server(), BestEffortClient("tests", seconds=0.1)
    assert [await reach.ask(server.get) for _ in range(3)] == ["value"] * 3


async def test_while_it_is_away_one_question_a_second_tries_again_and_the_log_says_so_once() -> (
    None
):
    server, reach = Server(), BestEffortClient("tests", seconds=0.1)
    server.error = RedisError()
    with capture_logs() as logs:
        assert [await reach.ask(server.get) for _ in range(100)] == [None] * 100
        assert server.asked == 1
        server.error, server.hangs = None, True

        async def asked_again() -> bool:
            await reach.ask(server.get)
            return server.asked == 2

        await until(asked_again)
        server.hangs = False

        async def back() -> bool:
            return await reach.ask(server.get) == "value"

        await until(back)
    assert [entry["event"] for entry in logs] == ["cache_away", "cache_back"]
    assert server.asked == 3


async def test_of_those_who_come_while_one_tries_no_one_waits() -> None:
    server, reach = Server(), BestEffortClient("tests", seconds=5)
    server.error = RedisError()
    await reach.ask(server.get)
    server.error, server.hangs = None, True
    trying = asyncio.create_task(_until_asked(reach, server))
    await until(lambda: server.asked == 2)
    assert await asyncio.wait_for(reach.ask(server.get), 1) is None
    trying.cancel()


async def _until_asked(reach: BestEffortClient, server: Server) -> None:
    while True:
        await reach.ask(server.get)
        await asyncio.sleep(0.01)
