"""`qnt9 config check`: whether a process would start with the settings it would find here."""

import json
import subprocess
import sys

import click

from infra.embedded.ports import SCALABLE

SECONDS = 60


@click.group(epilog="Example: qnt9 config check gateway")
def config() -> None:
    """Settings of an installation."""


@config.command(epilog="Example: env $(cat gateway.env) qnt9 config check gateway")
@click.argument("roles", nargs=-1, type=click.Choice(SCALABLE))
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def check(roles: tuple[str, ...], as_json: bool) -> None:
    """Validate the settings in the environment for ROLES, or for all; names all faults at once."""
    faults = {role: _faults_of(role) for role in roles or SCALABLE}
    if as_json:
        click.echo(json.dumps({"faults": faults}, indent=2))
    else:
        for role, found in faults.items():
            click.echo("\n".join((f"{role}: {'not ' if found else ''}fit to start", *found)))
    if any(faults.values()):
        raise SystemExit(1)


def _faults_of(role: str) -> list[str]:
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
        return [f"  did not answer within {SECONDS} s"]
    if not done.returncode:
        return []
    return [f"  {line}" for line in done.stderr.splitlines()] or [f"  exit code {done.returncode}"]
