"""The documentation uses the terms of docs/glossary.md."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
# Pages in plain English. Add a page here in the commit that rewrites it.
PAGES = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "bench/README.md",
    "SECURITY.md",
    *(f"docs/adr/{path.name}" for path in sorted((ROOT / "docs" / "adr").glob("*.md"))),
    "docs/README.md",
    "docs/api-versioning.md",
    "docs/asvs.md",
    "docs/audit.md",
    "docs/browser-sessions.md",
    "docs/dependencies.md",
    "docs/deployment.md",
    "docs/front-end.md",
    "docs/graceful-shutdown.md",
    "docs/invariants.md",
    "docs/limits.md",
    "docs/migrations.md",
    "docs/operations.md",
    "docs/recovery.md",
    "docs/releasing.md",
    "docs/stream.md",
    "docs/text.md",
    "docs/threat-model.md",
)
_CODE = re.compile(r"```.*?```|`[^`]*`|<!--.*?-->|\]\([^)]*\)", re.DOTALL)


def avoided_terms(page: str) -> list[str]:
    """Return the last cell's entries that are neither code nor conditional."""
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| ")]
    entries = [entry.strip() for row in rows for entry in row[-1].split(",")]
    return [
        entry
        for entry in entries
        if entry and entry != "Avoid" and not set(entry) & set("`()") and set(entry) != {"-"}
    ]


def prose(page: str) -> str:
    """Return a page without code, comments and link targets."""
    return _CODE.sub(" ", page)


def occurrences(text: str, terms: list[str]) -> list[str]:
    return [
        term
        for term in terms
        if re.search(r"\b" + re.escape(term).replace(r"\ ", r"\s+") + r"\b", text, re.IGNORECASE)
    ]


def test_glossary_entry_with_condition_or_code_type_is_not_an_avoided_term() -> None:
    terms = avoided_terms(
        "| Term | Meaning | Avoid |\n| --- | --- | --- |\n| mail | m | letter (here), post, `x` |\n"
    )
    assert terms == ["post"]


@pytest.mark.parametrize("text", ["Set\naside.", "it is SET ASIDE"])
def test_avoided_term_across_lines_or_in_capitals_is_found(text: str) -> None:
    assert occurrences(text, ["set aside", "mend"]) == ["set aside"]


def test_code_and_link_targets_are_not_prose() -> None:
    assert not occurrences(prose("`set aside` [x](set-aside mend)"), ["set aside", "mend"])


@pytest.mark.parametrize("name", PAGES)
def test_finished_page_uses_no_avoided_term(name: str) -> None:
    terms = avoided_terms(GLOSSARY.read_text(encoding="utf-8"))
    assert len(terms) > 20
    assert not occurrences(prose((ROOT / name).read_text(encoding="utf-8")), terms)
