import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.observability.log_output import DROPPED, LogOutput, RepeatFilter, RepeatLimiter
from infra.observability.telemetry import _dumps

FULL = Path("/dev/full")
LOGGING = """
import logging, structlog, sys
from infra.observability.log_output import DROPPED
from infra.observability.telemetry import configure_logging
configure_logging("it")
log = structlog.get_logger("it")
for _ in range(100):
    log.info("an_event", note="text")
    logging.getLogger("library").warning("text")
try:
    raise ValueError("reason")
except ValueError:
    log.exception("failed")
class Unprintable:
    def __repr__(self): raise RuntimeError("no")
log.info("odd", value=Unprintable(), text=chr(0xD800), number=2**80, key={(1, 2): 3})
logging.getLogger("library").error("%d", "no number")
sys.stderr.write(f"{DROPPED._value.get():.0f}")
"""


@contextmanager
def dropped() -> Iterator[list[float]]:
    """How many lines are dropped inside, when it is left."""
    before, found = DROPPED._value.get(), [0.0]
    yield found
    found[0] = DROPPED._value.get() - before


def log_to(output: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", LOGGING],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_logging_to_a_full_device_raises_nothing_and_counts_each_line() -> None:
    with FULL.open("wb") as full:
        done = log_to(full)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr) >= 102


def test_logging_to_a_pipe_without_a_reader_raises_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = log_to(writing)
    finally:
        os.close(writing)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr) >= 102


def test_logging_values_that_cannot_be_shown_costs_at_most_their_line() -> None:
    done = log_to(subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(line["event"] == "an_event" for line in lines) == 100
    assert any(line["event"] == "failed" and line["exception"] for line in lines)
    assert int(done.stderr) <= 2


def test_line_after_a_torn_one_begins_on_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = tmp_path / "log", os.write
    with path.open("ab") as file, dropped() as count:
        output = LogOutput(file)  # type: ignore[arg-type]
        monkeypatch.setattr("os.write", lambda fd, data: write(fd, data[:3]))
        output.write("first line\n")
        monkeypatch.undo()
        output.write("second line\n")
    assert path.read_text() == "fir\nsecond line\n"
    assert count == [1]


def test_output_without_a_descriptor_is_written_as_a_stream() -> None:
    stream = io.StringIO()
    LogOutput(stream).write("line\n")
    assert stream.getvalue() == "line\n"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.binary()
        | st.text(st.characters()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
        max_leaves=8,
    )
)  # fmt: skip
def test_any_value_becomes_one_line_of_json(value: object) -> None:
    text = _dumps({"event": value})
    assert "\n" not in text
    json.loads(text)


def test_repeated_line_passes_a_few_times_an_interval_and_then_says_how_many_were_left_out() -> (
    None
):
    now = 0.0
    limiter = RepeatLimiter(2, seconds=30, clock=lambda: now)
    assert [limiter.suppressed_before("a") for _ in range(5)] == [0, 0, None, None, None]
    assert limiter.suppressed_before("b") == 0
    now = 30.0
    assert [limiter.suppressed_before("a") for _ in range(3)] == [3, 0, None]


def test_limiter_keeps_a_bounded_number_of_lines() -> None:
    limiter = RepeatLimiter(1, clock=lambda: 0.0)
    assert [limiter.suppressed_before(n) for n in range(1_000)] == [0] * 1_000
    assert [limiter.suppressed_before(n) for n in range(1_000, 1_010)] == [0, *[None] * 9]


def test_lines_of_a_library_are_the_same_by_their_template() -> None:
    filter_ = RepeatFilter(RepeatLimiter(1))
    passed = [
        filter_.filter(logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, (n,), None))
        for n in range(3)
        for text in ("Unable connect to node %s", "Unable to update metadata from %s")
    ]
    assert passed == [True, True, False, False, False, False]
