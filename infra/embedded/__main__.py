"""The supervisor by itself: `python -m infra.embedded OPTIONS`, as `qnt9 up --detach` starts it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from infra.embedded.options import Options
from infra.embedded.ownership import AlreadyRunningError
from infra.embedded.running import supervise
from infra.embedded.supervisor import StartError, Supervisor


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
