"""Check commit messages against Conventional Commits 1.0.0 and the limit of 72 characters.

https://www.conventionalcommits.org/en/v1.0.0/
"""

import re
import subprocess
from pathlib import Path

MAX_SUBJECT_CHARACTERS = 72
TYPES = (
    *("build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert"),
    *("style", "test"),
)
_SUBJECT = re.compile(rf"(?:{'|'.join(TYPES)})(?:\([a-z0-9][a-z0-9/_-]*\))?!?: \S.*")
# git writes these itself; a rebase or a merge takes care of them.
_GENERATED = re.compile(r'(?:Merge |Revert "|fixup! |squash! |amend! )')


def violations(message: str) -> list[str]:
    """Return what is wrong with a commit message, one sentence each; empty if it is valid."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0].rstrip() if lines else ""
    if _GENERATED.match(subject):
        return []
    found = []
    if not _SUBJECT.fullmatch(subject):
        found.append(f"the subject is not `type(scope): description`; types: {', '.join(TYPES)}")
    if len(subject) > MAX_SUBJECT_CHARACTERS:
        found.append(
            f"the subject has {len(subject)} characters, more than {MAX_SUBJECT_CHARACTERS}"
        )
    if subject.endswith("."):
        found.append("the subject ends with a period")
    if len(lines) > 1 and lines[1].strip():
        found.append("the second line is not empty")
    return found


def violations_of_range(root: Path, commits: str) -> list[str]:
    """Return the violations of every commit in a git range such as `origin/main..HEAD`.

    Raises ValueError if git does not know the range.
    """
    command = ("git", "log", "--no-merges", "--format=%h%x00%B%x00%x00", commits, "--")
    done = subprocess.run(  # noqa: S603
        command, cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError(f"git log {commits}: {' '.join(done.stderr.split())}")
    entries = [
        entry.strip("\n").split("\0", 1) for entry in done.stdout.split("\0\0") if entry.strip()
    ]
    return [f"{commit}: {fault}" for commit, message in entries for fault in violations(message)]
