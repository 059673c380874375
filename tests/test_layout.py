"""Where the parts of the test suite live."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent
SUPPORT = TESTS / "support"
MAX_LINES = 300


def test_helper_module_lives_in_support() -> None:
    misplaced = [
        str(path.relative_to(TESTS))
        for path in sorted(TESTS.rglob("*.py"))
        if SUPPORT not in path.parents
        and path.name not in {"__init__.py", "conftest.py"}
        and not path.name.startswith("test_")
    ]
    assert misplaced == []


def test_test_module_is_imported_by_no_one() -> None:
    found = [
        f"{path.relative_to(TESTS)}: {node.module}"
        for path in sorted(TESTS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("tests.")
        and ".test_" in (node.module or "")
    ]
    assert found == []


def test_module_of_tests_has_at_most_300_lines() -> None:
    long = [
        str(path.relative_to(TESTS))
        for path in sorted(TESTS.rglob("*.py"))
        if len(path.read_text("utf-8").splitlines()) > MAX_LINES
    ]
    assert long == []
