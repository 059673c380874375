"""Run by `python -m infra.exchange`."""

import structlog

from infra.entry import main
from infra.exchange.app import exchange_app
from infra.exchange.delivery import ResettableProtocol
from infra.exchange.gate import Exchange
from infra.exchange.listings import load_listings
from infra.exchange.settings import ExchangeSettings
from infra.health import Health
from infra.lifecycle import GracefulShutdownHandler
from infra.serving import http_server

log = structlog.get_logger()


async def run(settings: ExchangeSettings) -> None:
    health = Health()
    app = exchange_app(Exchange(load_listings()), health)
    host, port = settings.exchange_http_host, settings.exchange_http_port
    async with GracefulShutdownHandler() as shutdown:
        server = http_server(app, host, port, protocol=ResettableProtocol)
        url = await shutdown.resources.enter_async_context(server)
        health.started = True
        log.info("exchange_listening", url=url)
        await shutdown.run_until_signalled()


if __name__ == "__main__":
    main(ExchangeSettings, run)
