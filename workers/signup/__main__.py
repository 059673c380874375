"""`python -m workers.signup`."""

from infra.composition.bootstrap import main
from infra.composition.process import open_worker
from workers.signup import consumer
from workers.signup.consumer import SignupSettings


async def run(settings: SignupSettings) -> None:
    async with open_worker(settings) as worker:
        await consumer.start(worker, settings)
        await worker.run()


if __name__ == "__main__":
    main(SignupSettings, run)
