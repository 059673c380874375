"""Requests that nobody thought of, made from the document, against the running system.

No answer that the document does not have, no fault of the server's, every error a problem.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.e2e.schemathesis_hooks import EMAIL, PASSWORD, URL
from tests.support.evidence import Evidence
from tests.support.sizes import size
from tests.support.stack import ROOT, Stack, User

CASES = size(1_000, 20_000)
ENDLESS = ("/api/v1/stream",)
"""An answer that goes on is tried in `test_stream.py`."""
EXAMPLES = size(4, 350)
"""Of each operation in each phase; the coverage phase makes a few hundred whatever this is."""
SCENARIOS = size(30, 600)
"""Of the stateful phase, which follows the links of answers."""
SEED = size(9, 0)
OTHER_PASSWORD = "Amber-glacier-58-saddle"
"""Not that of the document's examples, with which an account could be changed or erased."""

CONFIG = f"""
[phases.stateful.generation]
max-examples = {SCENARIOS}

[checks]
# What an address, a password or a mailed token must be is more than a schema can say.
positive_data_acceptance.enabled = false
# 503 is the answer while a part is away; `errors_are_problems` looks at it.
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
"""


def report(stack: Stack, user: User, folder: Path) -> dict[str, Any]:
    """What schemathesis found, acting as one user. Fails with what it said when it found any."""
    folder.mkdir()
    config, found = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(CONFIG, "utf-8")
    url = stack.urls["gateway"]["url"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", f"--config-file={config}", "run"),
            *(f"{url}/openapi.json", "--no-color", "--continue-on-failure", "--mode=all"),
            *(f"--max-examples={EXAMPLES}", "--phases=examples,coverage,fuzzing,stateful"),
            *(f"--report-json-path={found}", "--request-timeout=30", "--warnings=off"),
            *((f"--seed={SEED}",) if SEED else ()),
            *(f"--exclude-path={path}" for path in ENDLESS),
        ],
        cwd=folder,  # it keeps a cache where it runs
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.support.e2e.schemathesis_hooks",
            EMAIL: user.email,
            PASSWORD: user.password,
            URL: url,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    read: dict[str, Any] = json.loads(found.read_text("utf-8"))
    return read


@pytest.mark.prove
@pytest.mark.timeout(size(300, 3_600))
async def test_requests(stack: Stack, tmp_path: Path, evidence: Evidence) -> None:
    """Every operation in all phases, as a user and as an admin."""
    users = {
        "user": await stack.verified_user(password=OTHER_PASSWORD),
        "admin": await stack.admin(OTHER_PASSWORD),
    }
    reports = {
        who: await asyncio.to_thread(report, stack, user, tmp_path / who)
        for who, user in users.items()
    }
    cases = {who: each["test_cases"]["generated"] for who, each in reports.items()}
    assert sum(cases.values()) >= CASES, cases
    for each in reports.values():
        assert each["complete"]
        assert each["operations"]["tested"] == each["operations"]["total"] - len(ENDLESS)
        assert {phase["status"] for phase in each["phases"].values()} == {"success"}
    evidence.record(
        "Requests",
        "Requests that schemathesis makes from the document, sent to the running system.",
        {f"cases as {who}": count for who, count in cases.items()}
        | {"operations": reports["user"]["operations"]["tested"], "failures": 0},
    )
