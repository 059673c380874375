"""No free byte for any part: what was accepted happens when there is room again."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.faults import FullDisk
from tests.chaos.ledger import Verdict
from tests.chaos.run import Run
from tests.evidence import Evidence
from tests.sizes import FULL
from tests.stack import PORT_BASE, Stack, running_stack

SIZE = "700m"
SECONDS = 30
TIMES = 3
COMMANDS = 1_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(folder))
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"file systems cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


@pytest.fixture
def small_stack(small_disk: Path, tmp_path: Path) -> Iterator[Stack]:
    with running_stack(small_disk / "data", port_base=PORT_BASE + 300) as stack:
        yield stack
    shutil.copytree(stack.data / "logs", tmp_path / "logs")  # the file system itself is dropped


@pytest.mark.prove
@pytest.mark.timeout(1_800)
@pytest.mark.skipif(not FULL, reason="a system on a disk of its own is for `make prove` alone")
async def test_full_disk(small_stack: Stack, evidence: Evidence) -> None:
    run = Run(small_stack, COMMANDS, [FullDisk(SECONDS) for _ in range(TIMES)], pause=0.2)
    await run.play()
    assert run.violations == []
    assert not run.misfires
    assert run.checks > TIMES
    assert run.ledger.count(Verdict.OK) > COMMANDS / 2
    evidence.record(
        "Full disk",
        "The file system under all parts full under load, then free again: everything comes back "
        "by itself; then the invariants are checked, and of everything once more in the end.",
        run.figures() | {"times": TIMES, "seconds each": SECONDS, "file system": SIZE},
    )
