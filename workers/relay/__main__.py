"""`python -m workers.relay`."""

from functools import partial

from infra.entry import main
from infra.postgres.pool import open_session
from infra.process import open_process
from infra.settings import BusSettings
from workers.relay.relay import Relay


async def run(settings: BusSettings) -> None:
    async with open_process(settings) as process:
        session = partial(open_session, settings, instance=settings.instance)
        relay = Relay(session, process.producer)
        process.health.alive["relay"] = lambda: None if relay.alive else "no progress"
        process.health.ready["relay"] = lambda: relay.problem
        process.shutdown.background("relay loop", relay.run())
        process.shutdown.on_shutdown("relay", relay.stop)
        await process.run()


if __name__ == "__main__":
    main(BusSettings, run)
