"""The source uses no name that docs/glossary.md lists as a former one."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
FOLDERS = (
    "bench",
    "contracts",
    "devstack",
    "gateway",
    "infra",
    "operations",
    "tests",
    "web",
    "workers",
)
_CODE = re.compile(r"`(\w+)`")
_SUFFIX = re.compile(r"[A-Z0-9]_(MOST|LEAST)")


def former_names(page: str) -> set[str]:
    """Return the last cell's entries in code type that have no condition in parentheses."""
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| ")]
    entries = [entry.strip() for row in rows for entry in row[-1].split(",")]
    return {found[1] for entry in entries if (found := _CODE.fullmatch(entry))}


def names_in(path: Path) -> Iterator[str]:
    """Yield the name of a module and of each of its folders, and every name in it."""
    yield from path.relative_to(ROOT).with_suffix("").parts
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.NAME:
                yield token.string


def test_former_names_are_entries_in_code_type_without_condition() -> None:
    page = "| Term | Avoid |\n| --- | --- |\n| a | `x`, y, `z` (for a), `v`, w (here) |\n"
    assert former_names(page) == {"x", "v"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_source_has_no_former_name(folder: str) -> None:
    avoided = former_names(GLOSSARY.read_text("utf-8"))
    assert len(avoided) > 40
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in set(names_in(path))
        if name in avoided or _SUFFIX.search(name)
    }
    assert found == set()
