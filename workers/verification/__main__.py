"""`python -m workers.verification`."""

from infra.runtime.bootstrap import main
from infra.runtime.process import open_worker
from workers.verification import consumer
from workers.verification.consumer import VerificationSettings


async def run(settings: VerificationSettings) -> None:
    async with open_worker(settings) as worker:
        await consumer.start(worker, settings)
        await worker.run()


if __name__ == "__main__":
    main(VerificationSettings, run)
