"""Results of proofs at full size, kept in docs/evidence/ with what they were run on."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.support.sizes import FULL
from tests.support.stack import ROOT

FOLDER = ROOT / "docs" / "evidence"


@dataclass(frozen=True)
class Evidence:
    """Writes what one proof has shown, when it was the full one."""

    command: str
    folder: Path = FOLDER

    def record(self, title: str, what: str, figures: Mapping[str, object]) -> Path | None:
        """Where it was written; None at the small size, which shows less."""
        if not FULL:
            return None
        name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        path = self.folder / f"{name}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.page(title, what, figures), "utf-8")
        return path

    def page(self, title: str, what: str, figures: Mapping[str, object]) -> str:
        rows = {**about_this_run(), "command": f"`{self.command}`", **figures}
        lines = [f"| {name} | {value} |" for name, value in rows.items()]
        return "\n".join([f"# {title}", "", what, "", "| | |", "| --- | --- |", *lines, ""])


def about_this_run() -> dict[str, str]:
    """Commit, date and machine."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "commit": _git("rev-parse", "--short", "HEAD"),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}",
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
