"""`python -m workers.relay`."""

from datetime import timedelta
from functools import partial

from pydantic import Field

from infra.composition.bootstrap import main
from infra.composition.process import open_process
from infra.postgres.pool import open_session
from infra.runtime.settings import BusSettings, OutcomeSettings
from workers.relay import retention
from workers.relay.relay import Relay


class RelaySettings(BusSettings, OutcomeSettings):
    """And how long the outbox keeps what was published."""

    relay_outbox_kept_days: int = Field(default=14, ge=1, le=3_650)


async def run(settings: RelaySettings) -> None:
    async with open_process(settings) as process:
        session = partial(open_session, settings, instance=settings.instance)
        relay = Relay(session, process.producer)
        process.health.alive["relay"] = lambda: None if relay.alive else "no progress"
        process.health.ready["relay"] = lambda: relay.problem
        process.health.details["relay"] = lambda: relay.details
        process.shutdown.background("relay loop", relay.run())
        process.shutdown.on_shutdown("relay", relay.stop)
        outbox = timedelta(days=settings.relay_outbox_kept_days)
        process.delete_expired(retention.rules(outcomes=settings.outcomes_kept, outbox=outbox))
        await process.run()


if __name__ == "__main__":
    main(RelaySettings, run)
