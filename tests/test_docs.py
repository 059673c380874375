"""What the pages of the repository claim, where a program can tell."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.stack import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
_REQUIREMENT = re.compile(r"^[A-Za-z0-9._-]+")


def direct_dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = [_REQUIREMENT.match(each) for group in groups for each in group]
    return {match[0] for match in names if match}


def rows() -> list[list[str]]:
    """The rows of docs/dependencies.md that are about packages."""
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ") and "| ---" not in line]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "package" and not row[0].startswith("**")]


def test_each_direct_dependency_has_a_row_and_each_row_a_dependency() -> None:
    named = [re.sub(r" \(.*\)", "", name) for row in rows() for name in row[0].split(", ")]
    assert sorted(named) == sorted(direct_dependencies())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_says_what_for_and_why(row: list[str]) -> None:
    assert all(row)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_of_ours_leads_there(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
