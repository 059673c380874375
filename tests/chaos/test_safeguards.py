"""Safeguards taken out in turn: their own tests must notice."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.chaos.source_mutation import (
    DEAD_LETTERS_WITHOUT_THEIR_OFFSET,
    GIVES_UP_A_PART,
    HUNG_SERVERS_NOT_REMEMBERED,
    LEASES_WITHOUT_END,
    LOG_LINES_THAT_RAISE,
    ONE_KEY_CANCELS_THE_OTHERS,
    RAISES_IN_THE_BATCH,
    REFUSED_INPUT_IS_POISON,
    SET_ASIDE_IS_UNKNOWN,
    Cut,
    mutated,
)
from tests.support.sizes import size
from tests.support.stack import EXTERNAL, ROOT, STATUS, Stack

NOTHING_MORE: Mapping[str, str] = {}
CASES = (
    (GIVES_UP_A_PART, "tests/devstack/supervisor/test_process.py"),
    (LOG_LINES_THAT_RAISE, "tests/infra/observability/test_log_output.py"),
    (HUNG_SERVERS_NOT_REMEMBERED, "tests/infra/resilience/test_dependency_monitor.py"),
    (LEASES_WITHOUT_END, "tests/workers/relay/test_leases.py"),
    (RAISES_IN_THE_BATCH, "tests/infra/messaging/test_batch_processor.py"),
    (ONE_KEY_CANCELS_THE_OTHERS, "tests/infra/messaging/test_keys_side_by_side.py"),
    (REFUSED_INPUT_IS_POISON, "tests/infra/messaging/test_refused_input.py"),
    (SET_ASIDE_IS_UNKNOWN, "tests/infra/messaging/test_restarts.py"),
)


@pytest.mark.stack
@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("cuts", "path"), size(CASES[:1], CASES))
def test_safeguard_taken_out_is_noticed(tmp_path: Path, cuts: tuple[Cut, ...], path: str) -> None:
    fails_without(tmp_path, cuts, path)


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_dead_letters_without_their_offset_are_noticed(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / STATUS).write_text(json.dumps(stack.status()), "utf-8")
    path = "tests/e2e/test_dead_letter_offsets.py"
    external = {EXTERNAL: str(tmp_path)}
    cuts = DEAD_LETTERS_WITHOUT_THEIR_OFFSET
    await asyncio.to_thread(fails_without, tmp_path, cuts, path, external)


def fails_without(
    tmp_path: Path, cuts: tuple[Cut, ...], path: str, variables: Mapping[str, str] = NOTHING_MORE
) -> None:
    """Fails unless a test of this file fails on the source that is cut."""
    folder = mutated(tmp_path / "source", cuts)
    shutil.copytree(ROOT / "tests", folder / "tests")
    shutil.copy(ROOT / "pyproject.toml", folder)
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", path),
        cwd=folder,
        env={**os.environ, **variables, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout[-2_000:]
    # A fixture that fails would prove nothing.
    assert "\nFAILED " in done.stdout, done.stdout[-2_000:]
