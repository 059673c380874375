"""Every path of the gateway that a page names is one that the gateway serves."""

import re
from pathlib import Path

import pytest

from gateway.routes import ENDPOINTS
from tests.support.stack import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
SERVED = [
    re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(endpoint.path)))
    for endpoint in ENDPOINTS
]
CALL = re.compile(r"\$\{?gateway\}?(/[\w./{}$-]+)")


def called(page: Path) -> list[str]:
    """Paths that the examples of a page ask the gateway for."""
    return [match.rstrip(".") for match in CALL.findall(page.read_text())]


@pytest.mark.parametrize("page", [p for p in PAGES if called(p)], ids=lambda page: page.name)
def test_path_in_an_example_is_served(page: Path) -> None:
    unknown = [path for path in called(page) if not any(s.fullmatch(path) for s in SERVED)]
    assert unknown == []


def test_examples_are_found() -> None:
    """The pattern above still fits how the pages are written."""
    assert len(called(ROOT / "README.md")) > 5
