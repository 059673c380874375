"""How a process begins: settings first (exit code 2 names their faults), logging, event loop."""

import gc
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog
import uvloop

from infra.observability.telemetry import configure_logging
from infra.observability.tracing import TRACING
from infra.runtime.settings import ProcessSettings, SettingsError
from infra.runtime.unsafe_settings import RISKS

log = structlog.get_logger(__name__)

CHECK = "--check"
"""`qnt9 config check` asks each program whether it would start, with this argument."""

S = TypeVar("S", bound=ProcessSettings)


def main(kind: type[S], run: Callable[[S], Coroutine[Any, Any, None]]) -> None:
    """Run a process until it is asked to stop.

    Exits with 2 and a line a fault where settings are wrong; with `CHECK` it only looks at them.
    """
    try:
        settings = kind.load()
    except SettingsError as error:
        for fault in error.faults:
            sys.stderr.write(f"{fault}\n")
        raise SystemExit(2) from None
    if CHECK in sys.argv[1:]:
        sys.stdout.writelines(f"accepted: {RISKS[name]} ({name})\n" for name in settings.risks)
        return
    configure_logging(settings.instance, settings.log_level)
    if settings.risks:
        log.warning("unsafe_settings_accepted", risks=settings.risks)

    _begin_tracing(settings)
    # What was imported stays for life. Requests leave little to collect, and collecting often is
    # what the slowest of them wait for.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    try:
        uvloop.run(run(settings))
    finally:
        TRACING.close()


def _begin_tracing(settings: ProcessSettings) -> None:
    """Import OpenTelemetry only where spans have somewhere to go: it takes time and memory."""
    if not settings.otlp_endpoint:
        return
    from infra.observability.otel import open_recorder  # noqa: PLC0415  # see above

    TRACING.recorder = open_recorder(
        settings.otlp_endpoint,
        service=_role(),
        instance=settings.instance,
        ratio=settings.trace_sample_ratio,
        ca_file=settings.otlp_ca_file,
    )


def _role() -> str:
    """Of `python -m workers.audit`, `audit`: the same for each of its processes."""
    spec = sys.modules["__main__"].__spec__
    return spec.parent.rpartition(".")[2] if spec and spec.parent else "qnt9"
