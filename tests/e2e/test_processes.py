"""Every part is a process of its own that says how it is."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from contracts.topics import USERS_EVENTS
from devstack.supervisor.components import module_of
from devstack.supervisor.status import ORDER
from tests.support.e2e.broker_view import send_good
from tests.support.e2e.outages import until_well
from tests.support.stack import Stack

WORKERS = {"signup", "accounts", "verification", "watchlist", "quotes", "audit", "relay"}
OURS = WORKERS | {"gateway", "web"}
INFRASTRUCTURE = {"kafka", "postgres", "valkey"}


@pytest.fixture
async def status(stack: Stack) -> dict[str, Any]:
    return await asyncio.to_thread(stack.status)


async def test_the_status_has_all_that_a_script_needs(stack: Stack, status: dict[str, Any]) -> None:
    assert status["state"] == "ready"
    assert Path(status["data"]) == stack.data
    for name in ("web", "gateway", "inbox", "exchange"):
        assert httpx.URL(status[name]["url"]).host == "127.0.0.1"
    assert status["kafka"].keys() == {
        "bootstrap",
        "username",
        "password",
        "mechanism",
        "protocol",
    }
    assert status["kafka"]["username"] == "operator"
    assert status["postgres"]["dsn"].startswith("postgresql://qnt9_owner:")
    assert status["redis"]["url"].startswith("redis://:")
    assert [process["name"] for process in status["processes"]] == list(ORDER)
    for process in status["processes"]:
        assert process.keys() - {"details"} == {"name", "pid", "state", "health_url"}
        assert process["state"] == "ready"
        assert (process["health_url"] is None) == (process["name"] in INFRASTRUCTURE)


async def test_every_part_is_a_process_of_its_own(status: dict[str, Any]) -> None:
    running = {p["name"]: psutil.Process(p["pid"]) for p in status["processes"]}
    assert len({process.pid for process in running.values()}) == len(running)
    for name in OURS:
        assert running[name].cmdline()[-2:] == ["-m", module_of(name)]


async def test_no_password_is_on_a_command_line(stack: Stack, status: dict[str, Any]) -> None:
    secrets = re.findall(r'": "([A-Za-z0-9_-]{20,})"', (stack.data / "secrets.json").read_text())
    assert len(secrets) > len(OURS)
    for process in status["processes"]:
        line = " ".join(psutil.Process(process["pid"]).cmdline())
        assert not [secret for secret in secrets if secret in line], process["name"]


async def test_every_process_answers_the_three_health_paths_and_shows_its_metrics(
    status: dict[str, Any],
) -> None:
    asked = {p["name"]: httpx.URL(p["health_url"]) for p in status["processes"] if p["health_url"]}
    assert asked.keys() == set(ORDER) - INFRASTRUCTURE
    async with httpx.AsyncClient(timeout=60) as http:
        for name, url in asked.items():
            for path in ("live", "ready", "startup"):
                answer = await http.get(url.copy_with(path=f"/health/{path}"))
                assert answer.status_code == 200, f"{name} {path}: {answer.text}"
                said = answer.json()
                assert (said["status"], said["problems"]) == ("ok", {})
            metrics = await http.get(url.copy_with(path="/metrics"))
            assert metrics.headers["content-type"].startswith("text/plain")
            assert "process_cpu_seconds_total" in metrics.text


async def test_what_is_in_the_data_folder_is_the_owners_alone(stack: Stack) -> None:
    assert stack.data.stat().st_mode & 0o077 == 0
    assert (stack.data / "secrets.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["kafka", "quotes"])
async def test_the_status_says_why_a_part_is_not_ready_and_ends_with_1(
    stack: Stack, name: str
) -> None:
    pid = await asyncio.to_thread(stack.pid, name)
    os.kill(pid, signal.SIGSTOP)
    try:
        displayed = await asyncio.to_thread(stack.run, "status")
        reported = await asyncio.to_thread(stack.status)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert displayed.returncode == 1
    assert "process: does not answer" in displayed.stdout
    [part] = [each for each in reported["processes"] if each["name"] == name]
    assert (reported["state"], part["state"]) == ("degraded", "unready")
    assert part["problems"] == {"process": "does not answer"}
    await until_well(stack, seconds=120)
    assert (await asyncio.to_thread(stack.run, "status")).returncode == 0


async def test_part_is_stopped_started_and_restarted_by_command(stack: Stack) -> None:
    pids = []
    for verb, state in (("stop", "stopped"), ("start", "ready"), ("restart", "ready")):
        said = await asyncio.to_thread(stack.qnt9, verb, "quotes")
        displayed = await asyncio.to_thread(stack.run, "status", "--json")
        [part] = [p for p in json.loads(displayed.stdout)["processes"] if p["name"] == "quotes"]
        assert part["state"] == state
        assert f"quotes is {state}" in said
        assert displayed.returncode == (state == "stopped")
        pids.append(part["pid"])
    assert len({*pids}) == len(pids)


@pytest.mark.parametrize(
    "words",
    [
        ("tail", "users.events", "--from", "beginning", "--until-end"),
        ("topics",),
        ("lag", "--json"),
        ("audit", "list", "--json"),
        ("dlq", "list"),
    ],
    ids=" ".join,
)
async def test_a_command_whose_reader_has_gone_ends_quietly(
    stack: Stack, words: tuple[str, ...]
) -> None:
    await send_good(stack, USERS_EVENTS, 2)
    with stack.begin(*words) as running:
        assert running.stdout
        running.stdout.close()
        assert running.stderr
        said = await asyncio.to_thread(running.stderr.read)
        assert await asyncio.to_thread(running.wait, 120) == 141
    assert not said
