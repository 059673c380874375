"""Commit messages follow Conventional Commits."""

from pathlib import Path

import pytest

from operations.release.commit_messages import violations, violations_of_range
from tests.support.operations.git_repository import repository


@pytest.mark.parametrize(
    "message",
    [
        "feat: add a route",
        "fix(relay): publish a row once\n\nThe lease was checked late.",
        "refactor(gateway)!: move the cache",
        "Merge branch 'main' into topic",
        'Revert "feat: add a route"',
        "fixup! feat: add a route",
        "docs: explain\n# a comment of git's template",
        f"feat: {'x' * 66}",
    ],
)
def test_valid_message_has_no_violation(message: str) -> None:
    assert not violations(message)


@pytest.mark.parametrize(
    ("message", "violation"),
    [
        ("", "the subject is not"),
        ("Add a route", "the subject is not"),
        ("feature: add a route", "the subject is not"),
        ("feat:add a route", "the subject is not"),
        ("feat(): add a route", "the subject is not"),
        ("feat(gateway,infra): add a route", "the subject is not"),
        ("feat(the gateway): add a route", "the subject is not"),
        (f"feat: {'x' * 67}", "73 characters, more than 72"),
        ("feat: add a route.", "ends with a period"),
        ("feat: add a route\nbecause", "the second line is not empty"),
    ],
)
def test_invalid_message_has_its_violation_and_no_other(message: str, violation: str) -> None:
    (found,) = violations(message)
    assert violation in found


def test_range_reports_each_invalid_commit_by_its_id(tmp_path: Path) -> None:
    root = repository(tmp_path, ["feat: first", "feat: second\n\nwith\n\nparagraphs", "Third"])
    (found,) = violations_of_range(root, "HEAD~2..HEAD")
    assert "the subject is not" in found
    assert not violations_of_range(root, "HEAD~2..HEAD~1")


def test_unknown_range_raises_what_git_says(tmp_path: Path) -> None:
    root = repository(tmp_path, ["feat: first"])
    with pytest.raises(ValueError, match=r"(bad|unknown) revision"):
        violations_of_range(root, "nowhere..HEAD")
