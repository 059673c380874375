"""`qnt9 config check`: whether a process would start with the settings it would find here."""

import json
import subprocess
import sys
from dataclasses import dataclass

import click

from devstack.supervisor.ports import SCALABLE

SECONDS = 60


@click.group(epilog="Example: qnt9 config check gateway")
def config() -> None:
    """Settings of an installation."""


@config.command(epilog="Example: env $(cat gateway.env) qnt9 config check gateway")
@click.argument("roles", nargs=-1, type=click.Choice(SCALABLE))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def check(roles: tuple[str, ...], as_json: bool) -> None:
    """Check the settings in the environment; report all faults.

    Without ROLES, the settings of every role are checked.
    """
    found = {role: _looked_at(role) for role in roles or SCALABLE}
    faults = {role: each.faults for role, each in found.items()}
    if as_json:
        risks = {role: each.accepted for role, each in found.items()}
        click.echo(json.dumps({"faults": faults, "accepted": risks}, indent=2))
    else:
        for role, each in found.items():
            head = f"{role}: {'not ' if each.faults else ''}fit to start"
            lines = (head, *each.faults, *each.accepted)
            click.echo("\n  ".join(lines))
    if any(faults.values()):
        raise SystemExit(1)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a process said of the settings that it found."""

    faults: list[str]
    accepted: list[str]


def _looked_at(role: str) -> Looked:
    """Each role knows its settings; its process is asked, and only looks at them."""
    module = role if role == "gateway" else f"workers.{role}"
    try:
        done = subprocess.run(  # noqa: S603
            (sys.executable, "-P", "-m", module, "--check"),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Looked([f"did not answer within {SECONDS} s"], [])
    if not done.returncode:
        return Looked([], done.stdout.splitlines())
    return Looked(done.stderr.splitlines() or [f"exit code {done.returncode}"], [])
