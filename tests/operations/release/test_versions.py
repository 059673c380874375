"""A release's version is written into pyproject.toml and the changelog, or into neither."""

from datetime import date
from pathlib import Path

import pytest

from operations.release import versions

DAY = date(2026, 12, 1)
PROJECT = '[project]\nname = "x"\nversion = "0.1.0"\ndependencies = ["y==0.1.0"]\n'
CHANGELOG = (
    "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A route.\n\n## [0.0.9] - 2026-01-01\n\n- B.\n"
)


def test_version_replaces_that_of_the_project_alone() -> None:
    assert versions.with_version(PROJECT, "0.2.0") == PROJECT.replace(
        'version = "0.1.0"', 'version = "0.2.0"'
    )


def test_first_release_may_keep_the_current_version() -> None:
    assert versions.with_version(PROJECT, "0.1.0") == PROJECT


@pytest.mark.parametrize("version", ["0.0.9", "1", "v0.2.0", "0.2.0rc1", "01.2.0", ""])
def test_older_or_malformed_version_is_refused(version: str) -> None:
    with pytest.raises(versions.VersionError):
        versions.with_version(PROJECT, version)


def test_unreleased_entries_move_under_the_version_and_its_date() -> None:
    text = versions.with_released_section(CHANGELOG, "0.1.0", DAY)
    assert "## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n\n### Added\n\n- A route.\n" in text
    assert text.endswith("## [0.0.9] - 2026-01-01\n\n- B.\n")


def test_release_without_unreleased_entries_is_refused() -> None:
    released = versions.with_released_section(CHANGELOG, "0.1.0", DAY)
    with pytest.raises(versions.VersionError, match="no entry"):
        versions.with_released_section(released, "0.2.0", DAY)


def test_released_version_is_refused() -> None:
    with pytest.raises(versions.VersionError, match=r"has a section 0\.0\.9 already"):
        versions.with_released_section(CHANGELOG, "0.0.9", DAY)


def test_refused_preparation_changes_no_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n")
    with pytest.raises(versions.VersionError):
        versions.prepare(tmp_path, "0.2.0", DAY)
    assert (tmp_path / "pyproject.toml").read_text() == PROJECT


def test_changelog_of_this_repository_can_be_released(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    for name in ("pyproject.toml", "CHANGELOG.md"):
        (tmp_path / name).write_text((root / name).read_text("utf-8"), "utf-8")
    versions.prepare(tmp_path, "99.0.0", DAY)
    assert "## [99.0.0] - 2026-12-01" in (tmp_path / "CHANGELOG.md").read_text("utf-8")
