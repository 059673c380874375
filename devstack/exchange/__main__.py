"""Run by `python -m devstack.exchange`."""

import structlog

from devstack.exchange.app import exchange_app
from devstack.exchange.delivery import ResettableProtocol
from devstack.exchange.listings import load_listings
from devstack.exchange.middleware import Exchange
from devstack.exchange.settings import ExchangeSettings
from infra.composition.bootstrap import main
from infra.runtime.health import Health
from infra.runtime.http_server import http_server
from infra.runtime.lifecycle import GracefulShutdownHandler

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
