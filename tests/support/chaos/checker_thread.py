"""An event loop in a thread of its own: whoever checks does not wait for the clients' turns."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")
CheckerThread = Callable[[Coroutine[Any, Any, Any]], "asyncio.Future[Any]"]


@asynccontextmanager
async def entered_checker_thread(
    manager: AbstractAsyncContextManager[T],
) -> AsyncIterator[tuple[T, CheckerThread]]:
    """What the manager makes, and how to run there what is done with it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="checker")
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> "asyncio.Future[Any]":
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))

    async def enter() -> T:
        return await manager.__aenter__()

    async def leave() -> None:
        await manager.__aexit__(None, None, None)

    try:
        entered = await run(enter())
        try:
            yield entered, run
        finally:
            await run(leave())
    finally:
        await run(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()
