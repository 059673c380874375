"""`python -m workers.quotes`."""

from infra.composition.bootstrap import main
from infra.composition.process import open_worker
from workers.quotes import consumer
from workers.quotes.settings import QuotesSettings


async def run(settings: QuotesSettings) -> None:
    async with open_worker(settings) as worker:
        await consumer.start(worker, settings)
        await worker.run()


if __name__ == "__main__":
    main(QuotesSettings, run)
