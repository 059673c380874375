"""The commands of a page, as an operator copies them."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from devstack.supervisor.postgres import BINARIES
from tests.support.stack import ROOT

_STEPS = re.compile(r"^( *)```sh\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def steps(page: str, *, of: str) -> list[str]:
    """The shell commands of one section of a page under `docs/`, block by block."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    section = text.partition(f"\n## {of}\n")[2].partition("\n## ")[0]
    found = [textwrap.dedent(block) for _, block in _STEPS.findall(section)]
    assert found, f"{page} has no commands in {of}"
    return found


def shell(commands: str, folder: Path, variables: Mapping[str, str]) -> str:
    """Run them in a folder, with `qnt9` and the tools of PostgreSQL. Fails when one does."""
    path = os.pathsep.join((str(Path(sys.executable).parent), str(BINARIES), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-c", f"set -eu\n{commands}"],
        cwd=folder,
        env={**os.environ, **variables, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    return done.stdout
