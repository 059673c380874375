"""Run by `python -m infra.inbox`."""

import asyncio
import contextlib

import structlog
from prometheus_client import CollectorRegistry

from infra.inbox.mailbox import Mailbox
from infra.inbox.settings import InboxSettings
from infra.inbox.smtp import Sink, smtp_server
from infra.inbox.web import inbox_app
from infra.serving import http_server, stop_requested

log = structlog.get_logger()


async def main(settings: InboxSettings) -> None:
    stop = stop_requested()
    registry = CollectorRegistry()
    mailbox = Mailbox(settings.dir)
    async with contextlib.AsyncExitStack() as stack:
        page = await stack.enter_async_context(
            http_server(inbox_app(mailbox, registry), settings.http_host, settings.http_port)
        )
        smtp_port = await stack.enter_async_context(
            smtp_server(Sink(mailbox, registry), settings.smtp_host, settings.smtp_port)
        )
        log.info("inbox_ready", page=page, smtp_port=smtp_port, messages=len(mailbox))
        await stop.wait()
    log.info("inbox_stopped")


if __name__ == "__main__":
    asyncio.run(main(InboxSettings()))
