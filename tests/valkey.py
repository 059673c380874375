"""A real Valkey for tests that stop, pause or upset it: a server of their own on a free port."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis

from infra.embedded.probes import valkey_answers
from infra.embedded.valkey import SERVER
from tests.waiting import until


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
        self.process = await asyncio.to_thread(
            subprocess.Popen, [SERVER, *arguments], stdout=subprocess.DEVNULL
        )
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

    async def calls(self, redis: Redis, command: str) -> int:
        """How often a command was called since the start of the server."""
        stats = await redis.info("commandstats")
        return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


@asynccontextmanager
async def running_valkey(folder: Path) -> AsyncIterator[Valkey]:
    server = Valkey(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
