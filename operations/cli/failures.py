"""Every error that ends a command, as one line on stderr and an exit code.

0: done. 1: it failed, or found what it was asked to look for. 2: the command line is wrong.
70: a fault of this program. 141: whoever read the output has gone, as for any program in a pipe.
"""

import io
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

import click

from infra.observability.error_text import describe, one_line

READER_GONE = 141
OWN_FAULT = 70
SHOW_TRACEBACK = "QNT9_TRACEBACK"


class OutputError(Exception):
    """Standard output takes no more."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the output cannot be written: {describe(error)}")
        self.reader_gone = isinstance(error, BrokenPipeError)


class GuardedOutput:
    """Standard output whose errors are told apart from those of files and connections."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Raises `OutputError`."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputError(error) from error

    def flush(self) -> None:
        """Raises `OutputError`."""
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputError(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_output() -> None:
    """Before anything is written. A closed descriptor becomes /dev/null: no socket gets its place.

    A lone surrogate or a character that the terminal's encoding lacks is written as an escape.
    """
    if sys.stdout is not sys.__stdout__:
        return  # a test's, or guarded already
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is not None:
        sys.stdout = cast("TextIO", GuardedOutput(sys.stdout))


@contextmanager
def explained() -> Iterator[None]:
    """Errors of a command as `click` shows them. Usage errors pass as they are."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort, OutputError):
        raise
    except Exception as error:
        if os.environ.get(SHOW_TRACEBACK):
            raise
        if (line := explanation(error)) is not None:
            raise click.ClickException(line) from error
        _own_fault(error)


def end_of_output(error: OutputError) -> NoReturn:
    """Quietly when the reader has gone. What is buffered goes nowhere, so it fails only once."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    if error.reader_gone:
        raise SystemExit(READER_GONE) from None
    click.echo(f"Error: {error}", err=True)
    raise SystemExit(1) from None


def explanation(error: Exception) -> str | None:
    """What an error is, in one line; None for what no operator can have caused."""
    import asyncpg  # noqa: PLC0415  # only now are they needed
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    from devstack.supervisor.control import NotRunningError, SilentError  # noqa: PLC0415
    from infra.kafka.admin import TopologyError  # noqa: PLC0415
    from infra.postgres.migrate import MigrationError  # noqa: PLC0415
    from infra.runtime.settings import SettingsError  # noqa: PLC0415
    from operations.errors import OpsError  # noqa: PLC0415

    if isinstance(error, SettingsError):
        return "\n".join(map(one_line, error.faults))
    if isinstance(error, NotRunningError):
        return "nothing is running; qnt9 up starts it"
    if isinstance(error, subprocess.TimeoutExpired):
        program = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd))
        return f"{program} did not end within {error.timeout:.0f} s"
    reported = (OpsError, MigrationError, TopologyError, SilentError, OSError, UnicodeError)
    prefixes = {reported: "", (asyncpg.PostgresError,): "PostgreSQL: ", (KafkaError,): "Kafka: "}
    for kinds, prefix in prefixes.items():
        if isinstance(error, kinds):
            return prefix + describe(error)
    return None


def _own_fault(error: Exception) -> NoReturn:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    click.echo(
        f"Error: this is a fault of qnt9 itself: {type(error).__name__} at {where}: "
        f"{describe(error)}; {SHOW_TRACEBACK}=1 shows all of it",
        err=True,
    )
    raise SystemExit(OWN_FAULT) from error
