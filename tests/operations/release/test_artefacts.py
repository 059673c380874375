"""A wheel is built from a commit, has everything that runs, and is the same each time."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from operations.release import artefacts
from tests.support.operations.git_repository import git, repository

ROOT = Path(__file__).parents[3]
DATA = {".sql", ".lua", ".bin", ".html", ".css", ".js", ".txt", ".toml", ".properties"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return artefacts.build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def test_wheel_has_every_module_and_data_file_of_the_packages(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    packages = {name.partition("/")[0] for name in packed if name.endswith("/__init__.py")}
    assert {"contracts", "gateway", "infra", "web", "workers"} <= packages
    committed = git(ROOT, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    expected = {
        name
        for name in committed
        if name.partition("/")[0] in packages and Path(name).suffix in DATA | {".py"}
    }
    assert not expected - packed


def test_wheel_has_nothing_of_tests_or_benchmarks(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]


def test_wheel_of_the_same_commit_has_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    assert artefacts.build_wheel(ROOT, tmp_path).read_bytes() == wheel.read_bytes()


def test_commit_that_does_not_exist_raises_with_the_artefact_named(tmp_path: Path) -> None:
    with pytest.raises(artefacts.BuildError, match=r"^wheel: "):
        artefacts.build_wheel(ROOT, tmp_path, "0" * 40)


def test_image_without_docker_raises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(artefacts.BuildError, match="docker is not installed"):
        artefacts.build_image(ROOT, "0.1.0")


def test_checksums_are_those_that_sha256sum_accepts(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"a")
    (tmp_path / "b.json").write_bytes(b"b")
    artefacts.write_checksums(tmp_path)
    target = artefacts.write_checksums(tmp_path)
    assert len(target.read_text().splitlines()) == 2
    checked = subprocess.run(
        ("sha256sum", "--check", "--strict", target.name),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_release_of_a_changed_work_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n')
    root = repository(tmp_path, ["feat: first"])
    (root / "new").touch()
    done = subprocess.run(
        (sys.executable, "-m", "operations.release", "build", "--no-image"),
        cwd=root,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "uncommitted changes: new" in done.stderr
