"""A git repository with given commits, for tests of what reads a history."""

import subprocess
from pathlib import Path

_IDENTITY = (
    "-c",
    "user.name=Ada",
    "-c",
    "user.email=ada@example.com",
    "-c",
    "commit.gpgsign=false",
)


def git(root: Path, *arguments: str) -> str:
    """Run git without the settings of the user who runs the tests."""
    done = subprocess.run(
        ("git", *_IDENTITY, "-c", "core.hooksPath=/dev/null", *arguments),
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def repository(root: Path, messages: list[str]) -> Path:
    """Create a repository in a folder, with one commit of all its files for each message."""
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    for message in messages:
        git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    return root
