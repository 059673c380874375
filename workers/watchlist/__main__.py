"""`python -m workers.watchlist`."""

from infra.composition.bootstrap import main
from infra.composition.process import open_worker
from infra.runtime.settings import WorkerSettings
from workers.watchlist import consumer


async def run(settings: WorkerSettings) -> None:
    async with open_worker(settings) as worker:
        await consumer.start(worker)
        await worker.run()


if __name__ == "__main__":
    main(WorkerSettings, run)
