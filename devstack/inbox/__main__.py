"""Run by `python -m devstack.inbox`."""

import structlog

from devstack.inbox.mailbox import Mailbox
from devstack.inbox.settings import InboxSettings
from devstack.inbox.smtp import Sink, smtp_server
from devstack.inbox.web import inbox_app
from infra.composition.bootstrap import main
from infra.runtime.health import Health
from infra.runtime.http_server import http_server
from infra.runtime.lifecycle import GracefulShutdownHandler

log = structlog.get_logger()


async def run(settings: InboxSettings) -> None:
    mailbox = Mailbox(settings.inbox_dir)
    health = Health(ready={"folder": mailbox.problem})
    app = inbox_app(mailbox, health)
    async with GracefulShutdownHandler() as shutdown:
        enter = shutdown.resources.enter_async_context
        page = await enter(http_server(app, settings.inbox_http_host, settings.inbox_http_port))
        smtp_port = await enter(
            smtp_server(Sink(mailbox), settings.inbox_smtp_host, settings.inbox_smtp_port)
        )
        health.started = True
        log.info("inbox_listening", page=page, smtp_port=smtp_port, messages=len(mailbox))
        await shutdown.run_until_signalled()


if __name__ == "__main__":
    main(InboxSettings, run)
