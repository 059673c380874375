import os
import re
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


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
        [sys.executable, "-m", "infra.inbox"],
        env={**os.environ, **settings, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = process.stdout.readline()
        assert "inbox_ready" in ready
        port = re.search(r"smtp_port\D*(\d+)", _ANSI.sub("", ready))
        assert port
        with smtplib.SMTP("127.0.0.1", int(port[1])) as client:
            client.mail("somebody@example.com")
            process.send_signal(number)
            assert process.wait(5) == 0
            client.close()
        assert process.stderr.read() == ""
