import json
import os
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_though_a_client_is_connected(
    tmp_path: Path, number: signal.Signals
) -> None:
    settings = {
        "QNT9_INBOX_DIR": str(tmp_path),
        "QNT9_INBOX_SMTP_PORT": "0",
        "QNT9_INBOX_HTTP_PORT": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "devstack.inbox"],
        env={**os.environ, **settings, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = json.loads(process.stdout.readline())
        assert (ready["event"], ready["service"]) == ("inbox_listening", "inbox")
        with smtplib.SMTP("127.0.0.1", ready["smtp_port"]) as client:
            client.mail("somebody@example.com")
            process.send_signal(number)
            assert process.wait(5) == 0
            client.close()
        assert process.stderr.read() == ""


def test_a_missing_setting_is_named_and_nothing_starts() -> None:
    given = {name: value for name, value in os.environ.items() if name != "QNT9_INBOX_DIR"}
    ended = subprocess.run(
        [sys.executable, "-m", "devstack.inbox"],
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (2, "QNT9_INBOX_DIR: is missing\n")
