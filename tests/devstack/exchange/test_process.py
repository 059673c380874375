import json
import os
import signal
import socket
import subprocess
import sys
import threading

import httpx

from tests.support.devstack.exchange_client import AGENT


def test_sigterm_ends_it_cleanly_though_an_answer_is_still_slow() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "devstack.exchange"],
        env={**os.environ, "QNT9_EXCHANGE_HTTP_PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = httpx.URL(json.loads(process.stdout.readline())["url"])
        with httpx.Client(base_url=url, headers=AGENT, trust_env=False) as http:
            slow = {"kind": "slow_headers", "seconds": 600}
            http.put("/_control/faults/*", json=slow).raise_for_status()
            with socket.create_connection((url.host, url.port or 0)) as waiting:
                waiting.sendall(
                    b"GET /v8/finance/chart/AAPL HTTP/1.1\r\nHost: exchange\r\n"
                    b"User-Agent: Mozilla/5.0\r\n\r\n"
                )
                _until_one_is_in_flight(http)
                process.send_signal(signal.SIGTERM)
                assert process.wait(5) == 0
        assert process.stderr.read() == ""


def _until_one_is_in_flight(http: httpx.Client) -> None:
    given_up = threading.Event()
    timer = threading.Timer(5, given_up.set)
    timer.start()
    while http.get("/_control/log").json()["in_flight"] != 1:
        assert not given_up.is_set()
    timer.cancel()
