"""The command line, as far as it needs no running system."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from infra.cli import main


def every_command(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            each = command.get_command(context, name)
            assert each is not None
            yield from every_command(each, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in every_command(main)], ids=" ".join)
def test_every_command_shows_an_example(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*path, "--help"])
    assert shown.exit_code == 0
    assert "Example: " in shown.output


def test_status_of_nothing_is_json_too_and_exit_code_1(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["status", "--json", "--data", str(tmp_path)])
    assert shown.exit_code == 1
    assert json.loads(shown.output) == {
        "state": "stopped",
        "data": str(tmp_path),
        "processes": [],
    }


def test_down_of_nothing_is_fine(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["down", "--data", str(tmp_path)]).exit_code == 0


@pytest.mark.parametrize("scale", ["kafka=2", "gateway=0", "gateway=9", "gateway"])
def test_what_cannot_be_scaled_is_a_usage_error(scale: str, tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["up", "--scale", scale, "--data", str(tmp_path)])
    assert shown.exit_code == 2


def test_keys_are_new_each_time() -> None:
    first, second = (
        json.loads(CliRunner().invoke(main, ["keys", "generate", "--json"]).output)
        for _ in range(2)
    )
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())
