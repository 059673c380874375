"""New code on an old schema: the slices on all migrations but the newest.

A migration that slices cannot do without says so, `-- Needed by: accounts, gateway`: those are
rolled out after it. The tests of every other slice whose SQL names what the migration touches have
to pass without it; where SQL does not name it, there is nothing to miss.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.postgres.migrate import FOLDER, Migration, read_migrations
from tests.support.infra.migration_rules import touched
from tests.support.postgres import MIGRATIONS_VARIABLE, OUTSIDE
from tests.support.stack import ROOT

SLICES = ROOT / "tests" / "workers"
COMMON = ("messaging", "postgres", "security")
_NEEDED_BY = re.compile(r"^-- Needed by: (.+)$", re.MULTILINE)


def needed_by(sql: str) -> set[str]:
    """The slices that a migration names, and `notifications` with the process that it runs in."""
    named = {name.strip() for found in _NEEDED_BY.findall(sql) for name in found.split(",")}
    return named | ({"notifications"} if "verification" in named else set())


def affected(sql: str) -> set[str]:
    """The slices whose code names what the migration touches; all, where the common code does."""
    names = re.compile(rf"\b({'|'.join(map(re.escape, touched(sql)))})\b")
    slices = {path.relative_to(SLICES).parts[0] for path in SLICES.rglob("test_*.py")}
    if any(_names_any(ROOT / "infra" / name, names) for name in COMMON):
        return slices
    return {name for name in slices if _names_any(ROOT / "workers" / name, names)}


def _names_any(folder: Path, names: re.Pattern[str]) -> bool:
    """The table of rights names everything, and passes over what is not there."""
    files = [path for path in folder.rglob("*.py") if path.name != "rights.py"]
    return any(names.search(path.read_text("utf-8")) for path in files)


def without(newest: Sequence[Migration], folder: Path) -> Path:
    """A copy of the migrations that lacks these."""
    shutil.copytree(FOLDER, folder)
    for migration in newest:
        (folder / f"{migration.name}.sql").unlink()
    return folder


def run_tests(slices: Sequence[str], migrations: Path) -> subprocess.CompletedProcess[str]:
    """The slices' tests on a server of their own: roles and their passwords are a server's."""
    inherited = {name: value for name, value in os.environ.items() if name != OUTSIDE}
    return subprocess.run(
        (
            *(sys.executable, "-m", "pytest", "-q", "-x", "-m", "postgres and not stack"),
            *("-p", "no:cacheprovider"),
            *(str(SLICES / name) for name in slices),
        ),
        cwd=ROOT,
        env=inherited | {MIGRATIONS_VARIABLE: str(migrations)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(1200)
def test_a_slice_that_does_not_need_the_newest_migration_runs_without_it(tmp_path: Path) -> None:
    newest = read_migrations()[-1]
    slices = sorted(affected(newest.sql) - needed_by(newest.sql))
    if slices:
        done = run_tests(slices, without([newest], tmp_path / "migrations"))
        assert done.returncode == 0, f"without {newest.name}:\n{done.stdout[-4000:]}"


def test_a_slice_that_needs_what_is_missing_fails(tmp_path: Path) -> None:
    after_the_first = read_migrations()[1:]
    done = run_tests(["signup"], without(after_the_first, tmp_path / "migrations"))
    assert done.returncode == 1
    assert 'relation "users" does not exist' in done.stdout


@pytest.mark.parametrize(
    ("sql", "slices"),
    [
        ("CREATE TABLE shoes (size int)", set()),
        ("GRANT SELECT ON shoes, audit_log TO qnt9_audit", {"audit"}),
        ("ALTER TABLE audit_log ADD COLUMN shoes int", {"audit"}),
        ("CREATE INDEX shoes ON audit_log (action)", {"audit"}),
    ],
)
def test_who_may_miss_a_migration_is_reported_by_what_it_touches(
    sql: str, slices: set[str]
) -> None:
    assert affected(sql) == slices


def test_what_everyone_uses_affects_everyone() -> None:
    assert {"audit", "relay", "signup"} <= affected("ALTER TABLE outbox ADD COLUMN shoes int")


def test_a_migration_names_the_slices_that_need_it() -> None:
    assert needed_by("-- Shoes.\n-- Needed by: accounts, gateway\n") == {"accounts", "gateway"}
