"""What a supervisor that was killed leaves behind."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devstack.supervisor.components import Tier
from devstack.supervisor.layout import Layout
from devstack.supervisor.records import Records


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.create()
    return layout


@pytest.fixture
def left(layout: Layout) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as child:
        Records(layout).add("it", child.pid, tier=Tier.WORKERS, stop_signal=15)
        yield child
        child.kill()


def test_what_was_left_is_ended_by_the_next_one(
    layout: Layout, left: "subprocess.Popen[bytes]"
) -> None:
    assert Records(layout).alive() == {"it": left.pid}
    assert Records(layout).end_all() == ["it"]
    assert not psutil.pid_exists(left.pid)
    assert Records(layout).alive() == {}


def test_another_process_with_the_same_pid_is_left_alone(
    layout: Layout, left: "subprocess.Popen[bytes]"
) -> None:
    recorded = json.loads(layout.records.read_text())
    recorded["it"]["started"] -= 3600
    layout.records.write_text(json.dumps(recorded))
    assert Records(layout).end_all() == []
    assert psutil.pid_exists(left.pid)
