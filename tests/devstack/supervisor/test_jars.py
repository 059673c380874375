"""What is not in the lock, byte for byte, is not run."""

import hashlib
from pathlib import Path

import pytest

from devstack.supervisor.jars import LOCK, JarsRefusedError, class_path, provision

LOCKED = """
[[dependencies]]
groupId = "com.example"
artifactId = "thing"
version = "1.0"
packaging = "jar"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "m2" / "com" / "example" / "thing" / "1.0"
    folder.mkdir(parents=True)
    (folder / "thing-1.0.jar").write_bytes(b"as published")
    return tmp_path / "m2"


def a_lock(tmp_path: Path, checksum: str | None) -> Path:
    path = tmp_path / "lock.toml"
    path.write_text(LOCKED + (f'sha256 = "{checksum}"\n' if checksum else ""))
    return path


def test_a_jar_that_is_as_locked_is_accepted(tmp_path: Path, repository: Path) -> None:
    lock = a_lock(tmp_path, hashlib.sha256(b"as published").hexdigest())
    provision(repository, lambda *_: None, lock)
    assert [path.name for path in class_path(repository, lock)] == ["thing-1.0.jar"]


def test_a_jar_that_was_tampered_with_is_refused_by_name(tmp_path: Path, repository: Path) -> None:
    lock = a_lock(tmp_path, hashlib.sha256(b"as published").hexdigest())
    class_path(repository, lock)[0].write_bytes(b"as published, and more")
    with pytest.raises(JarsRefusedError, match=r"com\.example:thing:1\.0 checksum mismatch"):
        provision(repository, lambda *_: None, lock)


def test_a_lock_without_a_checksum_is_no_lock(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(JarsRefusedError, match="no checksum"):
        provision(repository, lambda *_: None, a_lock(tmp_path, None))


def test_every_committed_jar_has_its_checksum() -> None:
    text = LOCK.read_text()
    assert text.count("[[dependencies]]") == text.count("sha256 = ") > 40
