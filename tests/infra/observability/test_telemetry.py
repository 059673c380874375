import json
import re
import sys

import asyncpg
import pytest
import structlog

from infra.observability import telemetry, trace_context

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_child_has_the_trace_and_a_span_of_its_own() -> None:
    parent = f"00-{TRACE}-00f067aa0ba902b7-01"
    child = trace_context.child_of(parent)
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", child)
    assert child != parent


@pytest.mark.parametrize("parent", [None, "", "nonsense", f"01-{TRACE}-00f067aa0ba902b7-01"])
def test_without_a_parent_a_trace_begins(parent: str | None) -> None:
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace_context.child_of(parent))


def logged_error(raises: Exception) -> str:
    """The log line of an error."""

    def handle(password: str) -> None:
        raise raises

    renderer = structlog.processors.ExceptionRenderer(telemetry._traceback)
    try:
        handle("CANARY-1")
    except Exception:  # noqa: BLE001
        return json.dumps(renderer(None, "error", {"event": "boom", "exc_info": sys.exc_info()}))
    return ""


def test_a_traceback_shows_frames_and_no_locals() -> None:
    line = logged_error(ValueError("a reason"))
    assert "a reason" in line
    assert "handle" in line
    assert "CANARY" not in line


def test_a_database_error_is_reported_without_its_row() -> None:
    error = asyncpg.CheckViolationError("violates a check")
    error.detail = "Failing row contains (CANARY-2)."
    line = logged_error(error)
    assert "violates a check" in line
    assert "CANARY" not in line


def test_errors_within_a_group_are_reported_without_their_rows() -> None:
    error = asyncpg.CheckViolationError("violates a check")
    error.detail = "Failing row contains (CANARY-3)."
    line = logged_error(ExceptionGroup("several", [error]))
    assert "violates a check" in line
    assert "CANARY" not in line
