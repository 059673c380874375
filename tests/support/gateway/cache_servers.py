"""Cache servers to stop, pause and upset: one for each test, on a free port."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr
from redis.asyncio import Redis

from devstack.supervisor.probes import valkey_answers
from gateway.rate_limit.shared_windows import SharedWindows
from infra.redis.client import open_redis
from infra.runtime.settings import RedisSettings
from tests.support.valkey import EXECUTABLE
from tests.support.waiting import until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Valkey:
    """A server that can be paused, killed and started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "dir": self.folder}
        options |= {"enable-debug-command": "yes", "appendonly": "no"}
        arguments = [str(part) for name, v in options.items() for part in (f"--{name}", v)]
        self.process = await asyncio.to_thread(_run, arguments)
        await until(lambda: valkey_answers(self.url))

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        os.kill(self.process.pid, number)

    async def stop(self) -> None:
        if self.process:
            self.signal(signal.SIGCONT)
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
            self.process = None


def _run(arguments: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([EXECUTABLE, *arguments], stdout=subprocess.DEVNULL)


async def calls(redis: Redis, command: str) -> int:
    """How often a command was called since the start of the server."""
    stats = await redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def send(redis: Redis, *command: str) -> None:
    """A command for which the client has no method of its own."""
    await redis.execute_command(*command)  # type: ignore[no-untyped-call]


@asynccontextmanager
async def upset(folder: Path) -> AsyncIterator[tuple[Valkey, Redis, SharedWindows]]:
    """A server for one test, and windows in it."""
    server = Valkey(folder)
    await server.start()
    try:
        async with open_redis(RedisSettings(redis_url=SecretStr(server.url))) as redis:
            yield server, redis, SharedWindows(redis)
    finally:
        await server.stop()
