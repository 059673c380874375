"""Which migrations are applied, and which state of things is refused."""

from pathlib import Path

import pytest

from infra.postgres.migrate import Migration, MigrationError, pending, read_migrations

FIRST = Migration(1, "0001_first", "CREATE TABLE a ()")
SECOND = Migration(2, "0002_second", "CREATE TABLE b ()")


def applied(*migrations: Migration) -> dict[int, tuple[str, str]]:
    return {each.number: (each.name, each.checksum) for each in migrations}


def test_what_was_applied_is_not_applied_again() -> None:
    assert pending([FIRST, SECOND], applied(FIRST)) == [SECOND]
    assert pending([FIRST, SECOND], applied(FIRST, SECOND)) == []


def test_an_edited_migration_is_refused() -> None:
    edited = Migration(1, "0001_first", "CREATE TABLE a (b int)")
    with pytest.raises(MigrationError, match="0001_first"):
        pending([edited], applied(FIRST))


def test_a_database_that_is_ahead_is_refused() -> None:
    with pytest.raises(MigrationError, match="ahead"):
        pending([FIRST], applied(FIRST, SECOND))


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").touch()
    (tmp_path / "0003_third.sql").touch()
    with pytest.raises(MigrationError, match="without a gap"):
        read_migrations(tmp_path)


def test_the_committed_migrations_are_in_order() -> None:
    assert [each.number for each in read_migrations()] == list(range(1, len(read_migrations()) + 1))
