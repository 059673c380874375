import asyncio
import sys
from dataclasses import replace

import psutil
import pytest

from bench.accounting import cpu_seconds, memory_mib
from bench.aims import RATIOS, Aim, aims
from bench.measure import Measurement, percentile
from bench.profiling import Profile
from bench.report import Report
from bench.systems import System
from bench.tables import breakdown, comparison, open_loop

BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"


def a_measurement(system: str, rate: float, **cpu: float) -> Measurement:
    return Measurement(
        scenario="put_watchlist",
        system=system,
        clients=64,
        answered=1000,
        per_second=rate,
        p50_ms=10.0,
        p99_ms=20.0,
        errors={},
        cpu_per_1000=cpu,
        settle_seconds=0.1,
        client_share=0.1,
    )


OURS = a_measurement("qnt9", 3000.0, gateway=0.3, postgres=0.1)
PLAIN = a_measurement("lean", 2000.0, service=0.6, postgres=0.2)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (0.01, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile(list(range(1, 101)), share) == value


def test_ratios_are_ours_over_theirs() -> None:
    [first, second] = comparison("put_watchlist", [PLAIN, OURS]).rows
    assert (first[1], first[6], first[7]) == ("qnt9", "", "")
    assert (second[1], second[6], second[7]) == ("lean", "1.50", "0.50")


def test_the_slowest_part_is_named() -> None:
    assert breakdown("put_watchlist", [OURS, PLAIN]).rows[0] == ("gateway", "0.300")
    report = Report("make bench", {"commit": "abc"}, [OURS, PLAIN])
    stacks = ["run (a.py:1);send (b.py:2) 3", "run (a.py:9) 1"]
    report.profiles["gateway"] = Profile.of_stacks(stacks)
    assert "is gateway: 0.30 of 0.40 CPU-seconds per 1,000, 75%" in report.slowest
    assert "send (b.py) takes most by itself, 75%" in report.slowest
    assert "| lean | 2,000 |" in report.to_markdown().replace("64 | ", "")


def test_a_function_that_calls_itself_is_counted_once() -> None:
    profile = Profile.of_stacks(["f (a.py:1);f (a.py:2);g (a.py:3) 5"])
    assert (profile.total["f (a.py)"], profile.own["f (a.py)"], profile.own["g (a.py)"]) == (
        5,
        0,
        5,
    )


async def test_the_cpu_of_a_tree_is_counted_also_of_children_that_ended() -> None:
    inner = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {BURN!r}], input=b'x', stdout=-3)"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"{inner}\n{BURN}", stdin=-1, stdout=-1
    )
    assert child.stdin
    assert child.stdout
    try:
        await child.stdout.readline()
        used = cpu_seconds({"it": child.pid, "gone": 2**22 + 1}, database="x")
        assert 0.5 <= used["it"] < 5
        assert memory_mib({"it": child.pid}, database="x")["it"] > 1
    finally:
        child.kill()
        await child.wait()
    assert not psutil.pid_exists(child.pid)


def the_aim(what: str, found: list[Aim]) -> Aim:
    [aim] = [each for each in found if each.what == what]
    return aim


def test_aim_holds_by_the_ratio_of_one_run() -> None:
    equal = a_measurement("equal", 1500.0, service=0.4, postgres=0.2)
    found = aims([OURS, equal], hashes_per_second=None, memory_mib=900, idle_ms=39)
    rate = the_aim("put_watchlist, 64 clients: requests/s, QNT9 / equal", found)
    cpu = the_aim("put_watchlist, 64 clients: CPU-s per 1,000, QNT9 / equal", found)
    assert (rate.value, rate.holds) == (2.0, True)
    assert (round(cpu.value or 0, 2), cpu.holds) == (0.67, True)
    assert the_aim("memory after all of it, MiB", found).holds is False
    assert the_aim("idle CPU, ms per s", found).holds is True


def test_aim_that_was_not_measured_neither_holds_nor_fails() -> None:
    found = aims([OURS], hashes_per_second=None, memory_mib=None, idle_ms=None)
    assert {aim.holds for aim in found} == {None}
    assert len(found) > len(RATIOS)


def test_open_loop_measurement_is_no_capacity() -> None:
    slow = replace(OURS, per_second=1.0, rate=1.0)
    equal = a_measurement("equal", 1500.0, service=0.4)
    found = aims([slow, OURS, equal], hashes_per_second=None, memory_mib=None, idle_ms=None)
    assert the_aim("put_watchlist, 64 clients: requests/s, QNT9 / equal", found).value == 2.0
    sheet = open_loop([slow])
    assert sheet.rows[0][:2] == ("qnt9", "1")


def test_idle_share_of_the_system_is_not_charged_to_others() -> None:
    system = System("equal", "", (), {}, "x", None, None, idle_of_others={"kafka": 0.1})  # type: ignore[arg-type]
    used = system.own({"kafka": 1.0, "service": 1.0}, {"kafka": 3.0, "service": 2.0}, 10.0)
    assert used == {"kafka": 1.0, "service": 1.0}
