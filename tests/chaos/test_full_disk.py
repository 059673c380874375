"""No free byte for all parts, or for one: what was accepted happens when there is room again."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chaos.faults import FullDisk
from tests.support.chaos.ledger import Verdict
from tests.support.chaos.run import Run
from tests.support.evidence import Evidence
from tests.support.sizes import FULL
from tests.support.stack import PORT_BASE, Stack, running_stack

SIZE = "700m"
SIZES = {"kafka": "400m", "postgres": "400m", "valkey": "64m", "logs": "32m"}
"""Of the file system that each part has to itself."""
SECONDS = 30
TIMES = 3
COMMANDS = 1_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, SIZE)
    yield folder
    unmount(folder)


def mount(folder: Path, size: str) -> None:
    """A file system in memory; the test is skipped where that is not allowed."""
    command = ("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"file systems cannot be mounted here: {done.stderr.strip()}")


def unmount(folder: Path) -> None:
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


def move_to_its_own(folder: Path, size: str) -> None:
    """What is in it, onto a file system that is mounted there; owners and rights stay."""
    apart = folder.with_name(f"{folder.name}.apart")
    subprocess.run(("cp", "-a", str(folder), str(apart)), check=True)
    mount(folder, size)
    subprocess.run(("cp", "-a", f"{apart}/.", str(folder)), check=True)
    shutil.rmtree(apart)


@pytest.fixture
def small_stack(small_disk: Path, tmp_path: Path) -> Iterator[Stack]:
    with running_stack(small_disk / "data", port_base=PORT_BASE + 300) as stack:
        yield stack
    shutil.copytree(stack.data / "logs", tmp_path / "logs")  # the file system itself is dropped


@pytest.mark.stack
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


@pytest.fixture
def parted_stack(tmp_path: Path) -> Iterator[Stack]:
    """A system whose parts write to a small file system each."""
    data = tmp_path / "data"
    with running_stack(data, port_base=PORT_BASE + 300):
        pass  # its folders are made
    mounted = []
    try:
        for part, each in SIZES.items():
            move_to_its_own(data / part, each)
            mounted.append(data / part)
        with running_stack(data, port_base=PORT_BASE + 300) as stack:
            yield stack
        shutil.copytree(data / "logs", tmp_path / "logs")
    finally:
        for folder in mounted:
            unmount(folder)


@pytest.mark.stack
@pytest.mark.prove
@pytest.mark.timeout(1_800)
@pytest.mark.skipif(not FULL, reason="a system on disks of its own is for `make prove` alone")
async def test_full_disk_of_one_part(parted_stack: Stack, evidence: Evidence) -> None:
    """Each part in turn has no room, and the others have."""
    faults = [FullDisk(SECONDS, part) for part in SIZES]
    run = Run(parted_stack, COMMANDS, faults, pause=0.2)
    await run.play()
    assert run.violations == []
    assert not run.misfires
    assert run.checks > len(faults)
    assert run.ledger.count(Verdict.OK) > COMMANDS / 2
    evidence.record(
        "Full disk of one part",
        "The file systems of Kafka, PostgreSQL, Valkey and the logs full in turn under load, then "
        "free again: everything comes back by itself; the invariants are checked after each.",
        run.figures() | {"seconds each": SECONDS, **{f"disk of {p}": s for p, s in SIZES.items()}},
    )
