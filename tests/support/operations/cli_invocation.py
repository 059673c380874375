"""The command line, run inside of the test's own process, beside a loop that goes on."""

import asyncio
from collections.abc import Mapping

from click.testing import CliRunner, Result

from operations.cli import main


async def qnt9(*arguments: str, env: Mapping[str, str] | None = None) -> Result:
    """What the command says and how it ends."""
    return await asyncio.to_thread(
        CliRunner(env=dict(env or {})).invoke, main, list(arguments), catch_exceptions=False
    )
