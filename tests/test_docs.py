"""What the pages of the repository claim, where a program can tell."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.stack import ROOT

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
    page = page.partition("## Judged and not used")[0]
    lines = [line for line in page.splitlines() if line.startswith("| ") and "| ---" not in line]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "Package" and not row[0].startswith("**")]


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


ASVS = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
_STATES = {"met", "partly", "not met", "installation", "n/a"}
_PATH = re.compile(
    r"`((?:tests|docs|schemas|infra|gateway|workers|operations|devstack)/[\w./-]+|[A-Za-z.]+\.(?:md|toml|yaml))`"
)


def asvs_rows() -> list[list[str]]:
    """The rows about requirements: number, in short, state, and what shows it or why."""
    lines = [line for line in ASVS.splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("row", asvs_rows(), ids=lambda row: row[0])
def test_a_requirement_of_asvs_has_a_state_and_what_shows_it_exists(row: list[str]) -> None:
    _, short, state, displayed = row
    assert short
    assert state in _STATES
    paths = _PATH.findall(displayed)
    assert not [path for path in paths if not (ROOT / path).exists()]
    if state == "met":
        assert paths or "ruff" in displayed, "what is met is shown by a file"
    else:
        assert displayed


def test_each_requirement_of_asvs_is_judged_once_in_its_chapter() -> None:
    numbers: list[str] = []
    for chapter in re.split(r"^## V", ASVS, flags=re.MULTILINE)[1:]:
        firsts = " ".join(re.findall(r"^\| (\d[^|]*)", chapter, re.MULTILINE))
        found = re.findall(r"\d+\.\d+\.\d+", firsts)
        assert found
        assert {each.partition(".")[0] for each in found} == {chapter.partition(" ")[0]}
        numbers += found
    assert len(numbers) == len(set(numbers))
