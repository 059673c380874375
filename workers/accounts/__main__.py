"""`python -m workers.accounts`."""

from infra.composition.bootstrap import main
from infra.composition.process import open_worker
from workers.accounts import consumer
from workers.accounts.consumer import AccountsSettings


async def run(settings: AccountsSettings) -> None:
    async with open_worker(settings) as worker:
        await consumer.start(worker, settings)
        await worker.run()


if __name__ == "__main__":
    main(AccountsSettings, run)
