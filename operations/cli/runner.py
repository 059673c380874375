"""What the operator's commands share: an event loop, one way to fail, progress on stderr."""

import asyncio
import logging
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

import asyncpg
import click
import structlog

from infra.observability.error_text import describe
from infra.postgres.pool import UNAVAILABLE
from infra.runtime.settings import KafkaSettings, PostgresSettings, Settings, load
from operations.cli.failures import GuardedOutput
from operations.cli.target import point_at
from operations.errors import OpsError

T = TypeVar("T")
S = TypeVar("S", bound=Settings)

SAY_EVERY_SECONDS = 2.0


def broker_settings(data: Path) -> KafkaSettings:
    """Of what QNT9_KAFKA_BOOTSTRAP and its companions name, else of the system of --data."""
    point_at(data, "QNT9_KAFKA_BOOTSTRAP")
    return loaded(KafkaSettings)


def both_settings(data: Path) -> tuple[KafkaSettings, PostgresSettings]:
    """Broker and database of the same installation."""
    point_at(data, "QNT9_KAFKA_BOOTSTRAP", "QNT9_POSTGRES_DSN")
    return loaded(KafkaSettings), loaded(PostgresSettings)


def run(work: Coroutine[Any, Any, T], *, when_stopped: str = "stopped", code: int = 1) -> T:
    """Its result; Ctrl-C as these words and this exit code."""
    # The clients' own words about reconnecting would only be in the way.
    for client in ("aiokafka", "kafka"):
        logging.getLogger(client).setLevel(logging.CRITICAL)
    if isinstance(sys.stdout, GuardedOutput):  # the program's own process, not a test's
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        _end(when_stopped, code)
    except asyncio.CancelledError as error:
        raise OpsError("it was cut off; run the same command again") from error
    except (*UNAVAILABLE, asyncpg.PostgresError) as error:
        # Kafka's errors are reported where it is asked; what is left is the database's.
        raise OpsError(f"PostgreSQL: {describe(error)}") from error


def _end(message: str, code: int) -> NoReturn:
    if message:
        click.echo(message, err=True)
    raise SystemExit(code)


def loaded(kind: type[S]) -> S:
    """Settings. Raises `SettingsError`, which ends the command with every fault."""
    return load(kind)


class Progress:
    """Counts on stderr: one line that changes on a terminal, a line now and then elsewhere.

    `total` is None where nobody knows it before the end; a count that passes it is shown without.
    """

    def __init__(self, what: str, total: int | None = None, done: int = 0) -> None:
        self._what, self._total, self._done = what, total, done
        self._terminal = sys.stderr.isatty()
        self._began = self._said = time.monotonic()
        self._first = done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            with suppress(OSError):
                click.echo("\r\x1b[K", err=True, nl=False)

    def seen(self, records: int) -> None:
        self._done += records
        now = time.monotonic()
        if now - self._said < (0.1 if self._terminal else SAY_EVERY_SECONDS):
            return
        self._said = now
        rate = (self._done - self._first) / max(now - self._began, 0.001)
        line = f"{self._what} {self._done:,} ({rate:,.0f}/s)"
        if self._total is not None and self._done <= self._total:
            share = f"{self._done * 100 // max(self._total, 1)} %"
            line = f"{self._what} {self._done:,} of {self._total:,} ({share}, {rate:,.0f}/s)"
        click.echo(f"\r\x1b[K{line}" if self._terminal else line, err=True, nl=not self._terminal)
