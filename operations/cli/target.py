"""Which installation a command acts on: what settings name, else the one on this machine."""

import os
from pathlib import Path

from devstack.supervisor.control import NotRunningError, ask
from devstack.supervisor.layout import Layout
from operations.cli.options import fail


def point_at(data: Path, unless: str, *others: str) -> bool:
    """Settings of a running system on this machine, unless others are given: whether it is so."""
    if any(name in os.environ or f"{name}_FILE" in os.environ for name in (unless, *others)):
        return False
    try:
        running = ask(Layout(data), {"do": "status"})["status"]
    except NotRunningError as error:
        raise fail(f"{unless} is not set and nothing runs in {data}") from error
    os.environ["QNT9_POSTGRES_DSN"] = running["postgres"]["dsn"]
    os.environ["QNT9_REDIS_URL"] = running["redis"]["url"]
    for name, value in running["kafka"].items():
        os.environ[f"QNT9_KAFKA_{name.upper()}"] = value
    return True
