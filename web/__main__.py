"""`python -m web`."""

import structlog
from starlette.applications import Starlette

from infra.composition.bootstrap import main
from infra.runtime.health import Health
from infra.runtime.http_server import http_server
from infra.runtime.lifecycle import GracefulShutdownHandler
from web.app import web_app
from web.settings import WebSettings

log = structlog.get_logger(__name__)


async def run(settings: WebSettings) -> None:
    async with GracefulShutdownHandler() as shutdown:
        enter = shutdown.resources.enter_async_context
        health = Health()
        health.ready["process"] = lambda: "draining" if shutdown.draining.is_set() else None
        operations = Starlette(routes=health.routes())
        await enter(
            http_server(operations, settings.health_host, settings.health_port, name="operations")
        )
        app = web_app(settings, health)
        url = await enter(http_server(app, settings.http_host, settings.http_port, name="public"))
        health.started = True
        log.info("web_listening", url=url, api=settings.public_url)
        await shutdown.run_until_signalled()


if __name__ == "__main__":
    main(WebSettings, run)
