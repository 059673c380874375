"""Logs as JSON lines, metrics in one place, W3C trace context by hand.

Ids (message, correlation, user) are bound at the entry of a process for one request or message.
"""

import json
import logging
import sys
from typing import Any

import orjson
import structlog
from prometheus_client import Counter, Gauge, Histogram

from infra.observability.log_output import (
    EVENTS_PER_INTERVAL,
    LIBRARY_LINES_PER_INTERVAL,
    LibraryHandler,
    LogOutput,
    RepeatFilter,
    RepeatLimiter,
    limit_repeats,
    never_raises,
)

_FRAMES = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_QUIET = ("aiokafka", "faststream", "httpx", "httpcore", "uvicorn", "asyncio", "mail")


def configure_logging(service: str, level: str = "info") -> None:
    """Every record of ours and of libraries becomes one JSON line on stdout.

    Logging never raises: a line that cannot be made or written is counted and dropped. Warnings
    and errors that repeat are limited (`infra/observability/log_output.py`).
    """
    output = LogOutput(sys.stdout)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.ExceptionRenderer(_traceback),
    ]
    structlog.configure(
        processors=[
            limit_repeats(RepeatLimiter(EVENTS_PER_INTERVAL)),
            *shared,
            structlog.processors.EventRenamer("event"),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=never_raises(structlog.make_filtering_bound_logger(level)),
        logger_factory=structlog.WriteLoggerFactory(file=output),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = LibraryHandler(output)
    handler.addFilter(RepeatFilter(RepeatLimiter(LIBRARY_LINES_PER_INTERVAL)))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder({"suppressed"}),
                *shared,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_dumps),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _traceback(exc_info: structlog.typing.ExcInfo) -> list[dict[str, Any]]:
    """Frames without their locals, errors without the row they report: both may hold secrets."""
    stacks = _FRAMES(exc_info)
    _without_details(stacks)
    return stacks


def _without_details(stacks: list[dict[str, Any]]) -> None:
    for stack in stacks:
        stack["exc_value"] = stack["exc_value"].partition("\nDETAIL:")[0]
        for group in stack["exceptions"]:
            _without_details(group)


def _dumps(value: object, **_: object) -> str:
    """JSON of anything: what orjson refuses (half a surrogate, a huge number) is escaped."""
    try:
        return orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return json.dumps(value, default=repr, skipkeys=True)


# Every metric that more than one module touches; a slice's own stand in the slice.
RECORDS = Counter(
    "qnt9_records_total",
    "Records consumed, by what became of them",
    ["consumer", "topic", "result"],
)
BATCH_SECONDS = Histogram("qnt9_batch_seconds", "Time to handle one batch", ["consumer"])
BATCH_RECORDS = Histogram(
    "qnt9_batch_records",
    "Records in one batch",
    ["consumer"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
)
PAUSED = Gauge("qnt9_consumer_paused", "1 while a dependency is down", ["consumer"])
DEAD_LETTERS = Counter("qnt9_dead_letters_total", "Dead letters written", ["consumer", "reason"])
CHECKPOINT = Gauge(
    "qnt9_audit_checkpoint_timestamp_seconds", "When the audit log was last signed, Unix time"
)
ANNOUNCEMENTS_LOST = Counter(
    "qnt9_announcements_lost_total", "Outcomes that could not be announced; gateways poll for them"
)
