"""Every command against every fault: one line that names what is wrong, the right exit code."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from devstack.supervisor.layout import Layout
from operations.cli import main
from operations.cli.failures import READER_GONE
from tests.support.operations.cli_commands import every_command
from tests.support.operations.forked_cli import Ended, Run, ended

RANGE = ("watchlist", "watchlist.commands", "--partition", "0", "--from", "0", "--before", "1")
A_KEY = "qHrZtFdG4i2u1n3kP0xWvYb7sLcM9eRjTaUoE5QwXyA"
KAFKA, POSTGRES = "Kafka", "PostgreSQL"
NEEDS: dict[tuple[str, ...], tuple[tuple[str, ...], str]] = {
    ("topics",): ((), KAFKA),
    ("lag",): ((), KAFKA),
    ("tail",): (("users.events",), KAFKA),
    ("replay",): (("users.events", "--from", "1h", "--dry-run"), KAFKA),
    ("rebuild", "audit"): (("--dry-run",), KAFKA),
    ("audit", "checkpoint"): ((), KAFKA),
    ("audit", "list"): ((), POSTGRES),
    ("audit", "verify"): ((), f"{KAFKA}|{POSTGRES}"),
    ("dlq", "list"): ((), POSTGRES),
    ("dlq", "show"): (("watchlist.commands.watchlist:1",), POSTGRES),
    ("dlq", "redrive"): (("--all",), POSTGRES),
    ("dlq", "discard"): (("watchlist.commands.watchlist:1", "--reason", "a test"), POSTGRES),
    ("consumers", "show"): ((), f"{KAFKA}|{POSTGRES}"),
    ("consumers", "resume"): (("watchlist", "--reason", "a test"), f"{KAFKA}|{POSTGRES}"),
    ("consumers", "skip"): ((*RANGE, "--reason", "a test"), f"{KAFKA}|{POSTGRES}"),
    ("consumers", "set-aside"): ((*RANGE, "--reason", "a test"), f"{KAFKA}|{POSTGRES}"),
    ("recover",): (("--dry-run",), f"{KAFKA}|{POSTGRES}"),
    ("migrate",): ((), POSTGRES),
    ("setup",): ((), POSTGRES),
    ("user", "show"): (("ada@example.com",), POSTGRES),
    ("user", "create-admin"): (("ada@example.com", "--password-stdin"), POSTGRES),
    ("user", "end-sessions"): (("ada@example.com",), POSTGRES),
}
"""What a command is given, and whose fault is met first when nothing answers."""
PARTS: dict[tuple[str, ...], tuple[str, ...]] = {
    (verb,): ("gateway",) for verb in ("stop", "start", "restart")
} | {("demo",): ()}
OF_THE_STACK = {*NEEDS.keys() - {("setup",)}, *PARTS, ("quotes", "doctor")}
LEAVES = [path for path, each in every_command(main) if not isinstance(each, click.Group)]


def settings(port: int) -> dict[str, str]:
    dsn = f"postgresql://qnt9_owner:a-password@127.0.0.1:{port}/qnt9"
    return {
        "QNT9_KAFKA_BOOTSTRAP": f"127.0.0.1:{port}",
        "QNT9_KAFKA_USERNAME": "operator",
        "QNT9_KAFKA_PASSWORD": "a-password",
        "QNT9_KAFKA_PROTOCOL": "SASL_PLAINTEXT",
        "QNT9_POSTGRES_DSN": dsn,
        "QNT9_ADMIN_POSTGRES_DSN": dsn,
        "QNT9_ADDRESS_KEY": A_KEY,
        "QNT9_AUDIT_PUBLIC_KEY": A_KEY,
        "QNT9_PASSWORDS": '{"postgres": {}, "kafka": {}}',
    }


def wrongs(found: Iterable[Ended], code: int, words: str) -> Iterator[str]:
    """What is not one line with these words, or those, and this exit code."""
    for each in found:
        lines = each.err.splitlines()
        reported = len(lines) == 1 and lines[0].startswith("Error: ")
        named = any(word in each.err for word in words.split("|"))
        if not (reported and named and each.code == code and not each.out):
            yield f"{' '.join(each.words)}: exit code {each.code}: {each.out}{each.err}"


@contextmanager
def a_port(*, silent: bool) -> Iterator[int]:
    """One that refuses connections, or one that takes them and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        if silent:
            listener.listen(500)
        yield port


def test_every_command_that_needs_a_server_is_tried() -> None:
    """Whoever adds one says here what it needs, or here that it needs nothing."""
    needs_nothing = {"config", "down", "keys", "schemas", "status", "up", "quotes"}
    known = {*NEEDS, *PARTS}
    assert [path for path in LEAVES if path not in known and path[0] not in needs_nothing] == []


@pytest.mark.parametrize("silent", [False, True], ids=["away", "hung"])
def test_what_does_not_answer_is_named_within_a_bounded_time(*, silent: bool) -> None:
    with a_port(silent=silent) as port:
        runs = [Run((*path, *words), settings(port)) for path, (words, _) in NEEDS.items()]
        found = ended(runs)
    wrong = [
        line
        for each, (_, named) in zip(found, NEEDS.values(), strict=True)
        for line in wrongs([each], 1, named)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_supervisor_that_hangs_is_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(layout.run / "control.sock"))
        listener.listen(100)
        runs = [
            *(
                Run((*path, *NEEDS[path][0]), {"QNT9_DATA": str(tmp_path)})
                for path in NEEDS.keys() - {("setup",)}
            ),
            Run(("status",), {"QNT9_DATA": str(tmp_path)}),
            Run(("quotes", "doctor"), {"QNT9_DATA": str(tmp_path)}),
            Run(("demo",), {"QNT9_DATA": str(tmp_path)}),
        ]
        found = ended(runs)
    wrong = [*wrongs(found, 1, "the supervisor of")]
    assert not wrong, "\n".join(wrong)


def test_where_nothing_runs_every_command_says_so(tmp_path: Path) -> None:
    wrong = []
    for path in sorted(OF_THE_STACK):
        words = NEEDS[path][0] if path in NEEDS else PARTS.get(path, ())
        displayed = CliRunner().invoke(main, [*path, *words, "--data", str(tmp_path)])
        [line] = displayed.stderr.splitlines()
        if displayed.exit_code != 1 or not line.startswith("Error: ") or "nothing" not in line:
            wrong.append(f"{' '.join(path)}: {displayed.exit_code} {displayed.output}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_a_wrong_command_line_is_a_usage_error(path: tuple[str, ...]) -> None:
    displayed = CliRunner().invoke(main, [*path, "--no-such-option"])
    assert displayed.exit_code == 2
    assert [line for line in displayed.stderr.splitlines() if line.startswith("Error: ")]
    assert not displayed.stdout


def test_output_that_no_one_reads_ends_a_command_quietly(tmp_path: Path) -> None:
    env = {"QNT9_DATA": str(tmp_path)}
    words = [(*path, "--help") for path in LEAVES]
    words += [("--version",), ("keys", "generate"), ("status",), ("status", "--json"), ("down",)]
    found = ended([Run(each, env, "unread") for each in words])
    wrong = [each for each in found if (each.code, each.err) != (READER_GONE, "")]
    assert not wrong, wrong


def test_output_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    env = {"QNT9_DATA": str(tmp_path)}
    words = [(*path, "--help") for path in LEAVES]
    words += [("keys", "generate"), ("status",), ("status", "--json"), ("down",)]
    found = ended([Run(each, env, "full") for each in words])
    wrong = [*wrongs(found, 1, "the output cannot be written: No space left on device")]
    assert not wrong, "\n".join(wrong)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a-file"
    file.touch()
    for words in (
        ("keys", "files", str(file / "below")),
        ("audit", "verify", "--checkpoints", str(tmp_path / "none")),
    ):
        displayed = CliRunner().invoke(main, [*words])
        assert displayed.exit_code in {1, 2}
        assert str(tmp_path) in displayed.stderr, displayed.output
        assert "Traceback" not in displayed.output


def test_a_fault_of_our_own_is_one_line_that_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("broken")
    def broken() -> None:
        raise KeyError("a\nb")

    monkeypatch.setitem(main.commands, "broken", broken)
    displayed = CliRunner().invoke(main, ["broken"])
    assert displayed.exit_code == 70
    [line] = displayed.stderr.splitlines()
    assert "a fault of qnt9 itself: KeyError at test_faults.py:" in line
    monkeypatch.setenv("QNT9_TRACEBACK", "1")
    assert isinstance(CliRunner().invoke(main, ["broken"]).exception, KeyError)
