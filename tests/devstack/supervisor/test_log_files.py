import asyncio
import errno
import os
from pathlib import Path

import pytest

from devstack.supervisor.log_files import keep_bounded, limit_size
from tests.support.waiting import until


def test_small_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "it.log"
    path.write_text("line\n")
    assert not limit_size(path, 100)
    assert path.read_text() == "line\n"
    assert not limit_size(tmp_path / "absent.log", 100)


def test_large_file_is_cut_and_its_writer_goes_on_at_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "it.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"x" * 101)
        assert limit_size(path, 100)
        writer.write(b"next\n")
    assert path.read_bytes() == b"next\n"
    assert (tmp_path / "it.log.1").read_bytes() == b"x" * 101


def test_large_file_is_cut_though_there_is_no_room_for_its_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfile", full)
    path = tmp_path / "it.log"
    path.write_bytes(b"x" * 101)
    assert limit_size(path, 100)
    assert path.read_bytes() == b""


async def test_files_of_running_processes_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "it.log"
    bounding = asyncio.create_task(keep_bounded(tmp_path, most=1_000, every=0.01))
    with path.open("ab", buffering=0) as writer:
        for _ in range(5):
            writer.write(b"x" * 1_001)
            await until(lambda: path.stat().st_size == 0)
    bounding.cancel()
    assert (tmp_path / "it.log.1").stat().st_size == 1_001
