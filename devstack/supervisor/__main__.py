"""The supervisor by itself: what `qnt9 up --detach` starts.

`python -m devstack.supervisor OPTIONS`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devstack.supervisor.options import Options
from devstack.supervisor.ownership import AlreadyRunningError
from devstack.supervisor.running import supervise
from devstack.supervisor.supervisor import StartError, Supervisor


@asynccontextmanager
async def unwatched(_: Supervisor) -> AsyncIterator[None]:
    yield


def main() -> int:
    try:
        asyncio.run(supervise(Options.from_json(sys.argv[1]), unwatched, lambda _: None))
    except (StartError, AlreadyRunningError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
