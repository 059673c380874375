"""The front end as a process: it needs no other server, and drains on SIGTERM."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support.stack import ROOT

API = "http://127.0.0.1:1"
ENV = {
    "QNT9_ENVIRONMENT": "development",
    "QNT9_INSTANCE": "web",
    "QNT9_HTTP_PORT": "0",
    "QNT9_PUBLIC_URL": API,
}


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "web"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **ENV},
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.kill()


def line_with(process: "subprocess.Popen[str]", event: str) -> dict[str, str]:
    assert process.stdout
    for line in process.stdout:
        logged: dict[str, str] = json.loads(line)
        if logged["event"] == event:
            return logged
    raise AssertionError(f"{event} was not logged")


def test_process_serves_the_page_and_ends_at_once_when_told(
    process: "subprocess.Popen[str]",
) -> None:
    url = line_with(process, "web_listening")["url"]
    assert httpx.get(f"{url}/health/ready").json() == {"status": "ok"}
    assert API in httpx.get(url).headers["content-security-policy"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("api", "fault"),
    [
        ("", "must be an address"),
        ("ftp://api.example.com", "must be an address"),
        ("https://api.example.com/v1", "must have no path"),
        ("https://user@api.example.com", "must have no path"),
        ("https://*.example.com", "must name a single host"),
        ("https://api.example.com;evil", "must name a single host"),
    ],
)
def test_address_of_the_gateway_that_is_no_origin_ends_the_process(api: str, fault: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "web", "--check"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **ENV, "QNT9_PUBLIC_URL": api},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert fault in done.stderr
