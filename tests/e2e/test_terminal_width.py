"""What operators read fits on a terminal of 80 columns, and no word is broken for it."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

from contracts.topics import USERS_EVENTS
from tests.support.e2e.broker_view import send_good
from tests.support.stack import ROOT, Stack

COLUMNS = 80
COMMANDS = [
    ("topics",),
    ("topics", "--all"),
    ("lag",),
    ("dlq", "list"),
    ("audit", "list", "--limit", "200"),
    ("tail", USERS_EVENTS.name, "--from", "beginning", "--until-end", "--limit", "50"),
    ("replay", USERS_EVENTS.name, "--from", "beginning", "--to", "now", "--dry-run"),
    ("status",),
]
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(stack: Stack, *words: str) -> list[str]:
    """The lines of a command on a pseudo-terminal of 80 columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(
        [sys.executable, "-m", "operations.cli", *words],
        cwd=ROOT,
        env=env | {"PYTHONPATH": str(ROOT), "QNT9_DATA": str(stack.data), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.DEVNULL,
    ) as running:
        os.close(follower)
        written = b""
        with suppress(OSError):  # what Linux says when the last writer has gone
            while part := os.read(leader, 65_536):
                written += part
        os.close(leader)
    assert running.returncode == 0, written
    return _COLOURS.sub("", written.decode()).split("\r\n")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
async def test_a_command_fits_on_80_columns_without_broken_words(
    stack: Stack, words: tuple[str, ...]
) -> None:
    await send_good(stack, USERS_EVENTS, 2)
    lines = await asyncio.to_thread(on_a_terminal, stack, *words)
    assert any(lines)
    # A word that is longer than a line has one of its own; the terminal would wrap no other.
    too_long = [each for each in lines if len(each) > COLUMNS and len(each.split()) > 1]
    assert not too_long, "\n".join(too_long)
    if words[0] == "topics":
        wide = (await asyncio.to_thread(stack.qnt9, *words)).split()
        assert {word for line in lines for word in line.split()} <= {*wide, *map(str.lower, wide)}
