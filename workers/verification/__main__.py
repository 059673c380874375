"""`python -m workers.verification`."""

from infra.composition.bootstrap import main
from infra.composition.process import open_worker
from workers.verification import consumer
from workers.verification.consumer import VerificationSettings


async def run(settings: VerificationSettings) -> None:
    async with open_worker(settings) as worker:
        await consumer.start(worker, settings)
        await worker.run()


if __name__ == "__main__":
    main(VerificationSettings, run)
