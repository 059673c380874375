"""The command line, as far as it needs no running system."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from operations.cli import EMBEDDED, main
from tests.support.operations.cli_commands import every_command


@pytest.mark.parametrize("path", [path for path, _ in every_command(main)], ids=" ".join)
def test_every_command_shows_an_example(path: tuple[str, ...]) -> None:
    displayed = CliRunner().invoke(main, [*path, "--help"])
    assert displayed.exit_code == 0
    assert "Example: " in displayed.output


def test_status_of_nothing_is_json_too_and_exit_code_1(tmp_path: Path) -> None:
    displayed = CliRunner().invoke(main, ["status", "--json", "--data", str(tmp_path)])
    assert displayed.exit_code == 1
    assert json.loads(displayed.output) == {
        "state": "stopped",
        "data": str(tmp_path),
        "processes": [],
    }


def test_down_of_nothing_is_fine(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["down", "--data", str(tmp_path)]).exit_code == 0


@pytest.mark.parametrize("scale", ["kafka=2", "gateway=0", "gateway=9", "gateway"])
def test_what_cannot_be_scaled_is_a_usage_error(scale: str, tmp_path: Path) -> None:
    displayed = CliRunner().invoke(main, ["up", "--scale", scale, "--data", str(tmp_path)])
    assert displayed.exit_code == 2


def test_keys_are_new_each_time() -> None:
    first, second = (
        json.loads(CliRunner().invoke(main, ["keys", "generate", "--json"]).output)
        for _ in range(2)
    )
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())


@pytest.mark.parametrize("command", ["up", "status", "down", "stop"])
def test_without_the_extra_a_command_says_what_is_missing(command: str) -> None:
    without = f"""
import sys
for name in {sorted(EMBEDDED)!r}:
    sys.modules[name] = None
from operations.cli import EMBEDDED, main
main()
"""
    displayed = subprocess.run(
        [sys.executable, "-c", without, command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert displayed.returncode == 1
    assert f"qnt9 {command} belongs to the system on one machine" in displayed.stderr
    assert "Traceback" not in displayed.stderr


def test_setup_names_every_setting_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("QNT9_")]:
        monkeypatch.delenv(name)
    displayed = CliRunner().invoke(main, ["setup"])
    assert displayed.exit_code == 1
    for name in ("ADMIN_POSTGRES_DSN", "POSTGRES_DSN", "KAFKA_BOOTSTRAP", "PASSWORDS"):
        assert f"QNT9_{name}: is missing" in displayed.output


def test_passwords_that_are_no_json_are_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QNT9_PASSWORDS", "CANARY")
    displayed = CliRunner().invoke(main, ["setup"])
    assert displayed.exit_code == 1
    assert "QNT9_PASSWORDS: " in displayed.output
    assert "CANARY" not in displayed.output
