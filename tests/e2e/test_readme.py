"""The README's walkthrough, run as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import ROOT, Stack

STEPS = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def _journey() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Walkthrough")[2].partition("\n## ")[0]
    return "set -eu\n" + "\n".join(STEPS.findall(section))


@pytest.fixture(scope="module")
def output(stack: Stack) -> str:
    """What a terminal shows after the journey was pasted into it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", _journey()],
        cwd=ROOT,
        env={**os.environ, "QNT9_DATA": str(stack.data), "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_account_is_verified_and_signed_in(output: str) -> None:
    assert '{"status":"accepted","signup_secret":"' in output
    assert '"email_confirmed_at":"20' in output
    assert '"tier":"free"' in output


def test_the_watchlist_shows_three_symbols_with_quotes(output: str) -> None:
    displayed = next(line for line in output.splitlines() if line.startswith('{"items":'))
    for symbol in ("AAPL", "SAP.DE", "VOD.L"):
        assert f'"symbol":"{symbol}"' in displayed
    assert displayed.count('"source":"sandbox"') == 3


def test_the_audit_log_has_every_step_with_user_address_and_client(output: str) -> None:
    for action in ("user.signup", "user.email_verified", "user.signin", "watchlist.item_added"):
        row = (
            rf" {action}\n +(actor and )?target [0-9a-f-]{{36}}\n"
            r" +from 127\.0\.0\.1 with curl/"
        )
        assert re.search(row, output), output
