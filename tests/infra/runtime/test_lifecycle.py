import asyncio
import os
import signal
from collections.abc import Callable, Coroutine

import pytest

from infra.runtime.lifecycle import GracefulShutdownHandler


async def for_ever() -> None:
    await asyncio.Event().wait()


async def cancelled_by_itself() -> None:
    raise asyncio.CancelledError


async def broken() -> None:
    raise ValueError("a bug")


async def test_what_was_entered_last_is_released_first_when_a_signal_comes() -> None:
    released = []

    async def release(name: str) -> None:
        released.append(name)

    async with GracefulShutdownHandler() as shutdown:
        shutdown.on_shutdown("pool", lambda: release("pool"))
        shutdown.background("loop", for_ever())
        shutdown.on_shutdown("consumer", lambda: release("consumer"))
        os.kill(os.getpid(), signal.SIGTERM)
        await shutdown.run_until_signalled()
        assert released == []
    assert released == ["consumer", "pool"]
    assert not shutdown.failed


@pytest.mark.parametrize("loop", [broken, cancelled_by_itself])
async def test_a_loop_that_ends_unasked_ends_the_process(
    loop: Callable[[], Coroutine[None, None, None]],
) -> None:
    async with GracefulShutdownHandler() as shutdown:
        shutdown.background("loop", loop())
        with pytest.raises(SystemExit) as ended:
            await shutdown.run_until_signalled()
    assert ended.value.code == 1
