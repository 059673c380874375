"""Kafka's jars: fetched into the cache once, verified against the committed lock at every start."""

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from jgo.env import LockFile
from jgo.maven import Artifact, MavenContext

LOCK = Path(__file__).with_name("jgo.lock.toml")
DOWNLOADS_AT_ONCE = 6

Progress = Callable[[int, int], None]


class JarsRefusedError(Exception):
    """The jars cannot be trusted or had; the message says which and what to do."""


def class_path(repository: Path, lock: Path = LOCK) -> list[Path]:
    """Where the jars are, or will be once they are provisioned."""
    return [_path_of(each) for each in _jars(LockFile.load(lock), repository)]


def provision(repository: Path, progress: Progress, lock: Path = LOCK) -> None:
    """Every jar there and verified; fetches what is missing. Blocks: run it in a thread."""
    locked = LockFile.load(lock)
    if unpinned := [each for each in locked.dependencies if not each.sha256]:
        raise JarsRefusedError(f"{lock.name} names no checksum for {unpinned}")
    with _one_at_a_time(repository):
        _fetch_missing(_jars(locked, repository), repository, progress)
    if faults := locked.verify_checksums(repository):
        raise JarsRefusedError(
            "Kafka is not started, its jars differ from the lock:\n  "
            + "\n  ".join(faults)
            + "\nDelete what is named to have it fetched again."
        )


def _jars(locked: LockFile, repository: Path) -> list[Artifact]:
    context = MavenContext(repo_cache=repository, timeout=60)
    return [
        context.project(each.groupId, each.artifactId)
        .at_version(each.version)
        .artifact(each.classifier or "", each.packaging)
        for each in locked.dependencies
    ]


def _fetch_missing(jars: list[Artifact], repository: Path, progress: Progress) -> None:
    missing = [each for each in jars if not _path_of(each).exists()]
    if not missing:
        return
    # Fetched apart and moved when whole: a download that was cut off never looks like a jar.
    apart = MavenContext(repo_cache=repository.with_name(f"{repository.name}.part"), timeout=60)
    done = len(jars) - len(missing)
    progress(done, len(jars))
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        try:
            for source, target in pool.map(lambda each: _download(each, apart), missing):
                (repository / target).parent.mkdir(parents=True, exist_ok=True)
                source.replace(repository / target)
                done += 1
                progress(done, len(jars))
        finally:
            pool.shutdown(cancel_futures=True)


def _download(jar: Artifact, apart: MavenContext) -> tuple[Path, Path]:
    copy = (
        apart.project(jar.groupId, jar.artifactId)
        .at_version(jar.version)
        .artifact(jar.classifier, jar.packaging)
    )
    _path_of(copy).unlink(missing_ok=True)
    try:
        path = copy.resolve()
    except Exception as error:
        raise JarsRefusedError(f"Could not fetch {jar}: {error}") from error
    return path, path.relative_to(apart.repo_cache)


def _path_of(jar: Artifact) -> Path:
    path = jar.cached_path
    assert path is not None
    return path


@contextmanager
def _one_at_a_time(repository: Path) -> Iterator[None]:
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
