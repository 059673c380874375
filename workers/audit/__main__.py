"""`python -m workers.audit`."""

from infra.composition.bootstrap import main
from infra.composition.process import open_process
from workers.audit import consumer
from workers.audit.consumer import AuditSettings


async def run(settings: AuditSettings) -> None:
    async with open_process(settings) as process:
        await consumer.start(process, settings)
        await process.run()


if __name__ == "__main__":
    main(AuditSettings, run)
