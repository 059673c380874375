"""`python -m workers.audit`."""

from infra.entry import main
from infra.process import open_process
from infra.settings import BusSettings
from workers.audit import consumer


async def run(settings: BusSettings) -> None:
    async with open_process(settings) as process:
        await consumer.start(process)
        await process.run()


if __name__ == "__main__":
    main(BusSettings, run)
