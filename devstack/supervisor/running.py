"""Running a system: one supervisor to a data folder, in the foreground or by itself."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable

import structlog

from devstack.supervisor import credentials
from devstack.supervisor.layout import Layout
from devstack.supervisor.options import Options
from devstack.supervisor.ownership import sole_owner
from devstack.supervisor.supervisor import Supervisor
from infra.observability.log_output import LogOutput, never_raises


async def supervise(
    options: Options,
    watch: Callable[[Supervisor], contextlib.AbstractAsyncContextManager[None]],
    announce: Callable[[str], None],
) -> None:
    """Until a signal or `qnt9 down` drains it. Raises `StartError`."""
    layout = Layout(options.data)
    with sole_owner(layout), layout.log_of("supervisor").open("a", encoding="utf-8") as log_file:
        structlog.configure(
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=repr),
            ],
            wrapper_class=never_raises(structlog.make_filtering_bound_logger("debug")),
            logger_factory=structlog.WriteLoggerFactory(LogOutput(log_file)),  # type: ignore[arg-type]
        )
        made = credentials.load_or_create(layout, announce)
        supervisor = Supervisor(options, layout, made, announce)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, supervisor.drain)
        async with watch(supervisor):
            await supervisor.run()


def supervise_apart(options: Options) -> "subprocess.Popen[bytes]":
    """The same in a process of its own, which outlives us; its errors are in `logs/up.log`."""
    layout = Layout(options.data)
    layout.create()
    with layout.log_of("up").open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            (sys.executable, "-P", "-m", "devstack.supervisor", options.to_json()),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=layout.root,
        )
