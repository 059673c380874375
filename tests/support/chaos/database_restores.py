"""A backup of the database under load, and its restore behind a Kafka that went on."""

import asyncio
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from devstack.supervisor.layout import Layout
from infra.messaging.database_age import OLDER
from tests.support.chaos.faults import READY_SECONDS
from tests.support.stack import Stack
from tests.support.waiting import eventually

RECOVERY_SECONDS = 600
UNPUBLISHED_SECONDS = 2
"""What is acknowledged in this time before a restore has made no event that any topic has."""


@dataclass
class Backup:
    """The data folder of the stopped server is copied; the server starts again."""

    folder: Path
    seconds: float = 10.0

    def __str__(self) -> str:
        return "a backup was made"

    async def strike(self, stack: Stack) -> None:
        await stack.stop("postgres")
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(Layout(stack.data).postgres, self.folder)
        await stack.start("postgres")
        await stack.until_ready("watchlist", seconds=READY_SECONDS)

    def misfired(self, log: str) -> str | None:
        stopped = '"verb": "stop", "process": "postgres"'
        return None if stopped in log and self.folder.exists() else "no backup was made"


@dataclass
class Restore:
    """The backup takes the place of the data; then `qnt9 recover`, on the running system.

    The relay stops shortly before, so that events of the last commands are in no topic.
    """

    folder: Path
    seconds: float = 60.0
    lost: int = field(default=0, init=False)

    def __str__(self) -> str:
        return "the database was restored"

    async def strike(self, stack: Stack) -> None:
        data = Layout(stack.data).postgres
        before = await _handled(stack)
        await stack.stop("relay")
        await asyncio.sleep(UNPUBLISHED_SECONDS)
        await stack.stop("postgres")
        shutil.rmtree(data)
        shutil.copytree(self.folder, data)
        await stack.start("postgres")
        await stack.start("relay")
        self.lost = before - await _handled(stack)
        await eventually(
            lambda: self._noticed(stack), seconds=READY_SECONDS, what="workers hold", every=0.5
        )
        await eventually(
            lambda: self._recovered(stack), seconds=READY_SECONDS, what="a recovery", every=1.0
        )
        for name in ("signup", "accounts", "verification", "watchlist", "audit"):
            await stack.until_ready(name, seconds=READY_SECONDS)

    async def _noticed(self, stack: Stack) -> bool:
        """Whether a process says by itself what is wrong."""
        status = await asyncio.to_thread(stack.status)
        return OLDER in json.dumps(status, ensure_ascii=False)

    async def _recovered(self, stack: Stack) -> bool:
        """Whether it was done; refused while workers that have not noticed yet are in a group."""
        done = await asyncio.to_thread(
            stack.run, "recover", "--reason", "a test", seconds=RECOVERY_SECONDS
        )
        return done.returncode == 0

    def misfired(self, log: str) -> str | None:  # noqa: ARG002
        return None if self.lost > 0 else "the restored database had lost nothing"


async def _handled(stack: Stack) -> int:
    """How many messages the database knows, once there is one; a backup may hold none."""

    async def counted() -> tuple[int] | None:
        try:
            async with stack.postgres() as conn:
                return (int(await conn.fetchval("SELECT count(*) FROM inbox")),)
        except OSError:
            return None

    count = await eventually(counted, seconds=READY_SECONDS, what="a database")
    assert count is not None
    return count[0]
