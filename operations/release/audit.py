"""Known vulnerabilities of what is locked, by pip-audit; that nothing is known is said as such."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 600
FOUND, NOT_RUN = 1, 3
"""Exit codes: something is known, and nothing could be learnt."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an audit, in lines, and its exit code."""

    code: int
    lines: tuple[str, ...]


def audit(requirements: Path, env: Mapping[str, str] | None = None) -> Verdict:
    """Ask for every locked package. Blocks for ten minutes at most."""
    command = (
        *(sys.executable, "-m", "pip_audit", "--requirement", str(requirements)),
        *("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"),
    )
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=SECONDS, check=False, env=env
        )
    except subprocess.TimeoutExpired:
        return _not_run(f"no answer within {SECONDS} s")
    return evaluate(done.stdout, done.stderr)


def evaluate(out: str, err: str) -> Verdict:
    """What pip-audit found. Anything but a complete answer is no clean bill."""
    try:
        dependencies = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = [line.strip() for line in err.splitlines() if line.strip()]
        return _not_run(lines[-1] if lines else "it said nothing")
    found = [
        f"{each['name']} {each['version']}: {known['id']}, fixed in "
        f"{', '.join(known['fix_versions']) or 'no version yet'}"
        for each in dependencies
        for known in each.get("vulns", ())
    ]
    skipped = [
        f"{each['name']}: {each['skip_reason']}" for each in dependencies if "skip_reason" in each
    ]
    if found:
        return Verdict(FOUND, (*found, *_unchecked(skipped)))
    if skipped or not dependencies:
        return _not_run(f"{len(skipped)} packages were not checked", skipped)
    return Verdict(0, (f"no vulnerability is known in {len(dependencies)} packages",))


def _unchecked(skipped: Sequence[str]) -> list[str]:
    return [f"NOT checked: {each}" for each in skipped]


def _not_run(why: str, skipped: Sequence[str] = ()) -> Verdict:
    head = f"the audit could NOT run, so nothing is known about vulnerabilities: {why}"
    return Verdict(NOT_RUN, (head, *_unchecked(skipped)))
