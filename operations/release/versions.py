"""Give a checkout the version of a release: `pyproject.toml` and the changelog."""

import re
from datetime import date
from pathlib import Path

_NUMBER = r"(?:0|[1-9]\d*)"
VERSION = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})")
_PROJECT_VERSION = re.compile(r'(?<=^version = ")[^"]+(?="$)', re.MULTILINE)
_UNRELEASED = "## [Unreleased]\n"


class VersionError(Exception):
    """The release cannot be prepared; the message says why."""


def current_version(project: str) -> str:
    """Return the version in the text of pyproject.toml. Raises VersionError without one."""
    if not (found := _PROJECT_VERSION.search(project)):
        raise VersionError("pyproject.toml has no version")
    return found[0]


def with_version(project: str, version: str) -> str:
    """Return the text of pyproject.toml with another version.

    Raises VersionError if it is not MAJOR.MINOR.PATCH, or older than the current one.
    """
    if _parts(version) < _parts(current := current_version(project)):
        raise VersionError(f"{version} is older than {current}")
    return _PROJECT_VERSION.sub(version, project, count=1)


def with_released_section(changelog: str, version: str, day: date) -> str:
    """Return the changelog with everything unreleased under the heading of the version.

    Raises VersionError if nothing is unreleased, or the version has a section.
    """
    if f"## [{version}]" in changelog:
        raise VersionError(f"CHANGELOG.md has a section {version} already")
    before, mark, after = changelog.partition(_UNRELEASED)
    entries = re.split(r"^## \[", after, maxsplit=1, flags=re.MULTILINE)[0]
    if not mark or not re.search(r"^- ", entries, re.MULTILINE):
        raise VersionError("CHANGELOG.md has no entry under [Unreleased]")
    return f"{before}{mark}\n## [{version}] - {day.isoformat()}\n{after}"


def prepare(root: Path, version: str, day: date) -> list[Path]:
    """Change both files of a checkout, or neither. Return what was written."""
    project, changelog = root / "pyproject.toml", root / "CHANGELOG.md"
    texts = {
        project: with_version(project.read_text("utf-8"), version),
        changelog: with_released_section(changelog.read_text("utf-8"), version, day),
    }
    for path, text in texts.items():
        path.write_text(text, "utf-8")
    return list(texts)


def _parts(version: str) -> tuple[int, ...]:
    if not (found := VERSION.fullmatch(version)):
        raise VersionError(f"{version} is not a version of the form MAJOR.MINOR.PATCH")
    return tuple(map(int, found.groups()))
