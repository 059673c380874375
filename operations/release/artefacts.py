"""Build what a release consists of from a commit: wheel, bills of materials, image, checksums."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

BUILD_SECONDS = 1_800
CHECKSUMS = "SHA256SUMS"


class BuildError(Exception):
    """An artefact could not be built; the message names it and has the reason."""


def build_wheel(root: Path, folder: Path, commit: str = "HEAD") -> Path:
    """Build the wheel of a commit, not of the work tree, into a folder. Return its path.

    The same commit gives the same bytes: times in the wheel are those of the commit. Blocks for
    half a minute or so. Raises BuildError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    time = _run("wheel", ("git", "log", "-1", "--format=%ct", commit), root).strip()
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        archive = Path(scratch) / "source.tar"
        _run("wheel", ("git", "archive", "--output", str(archive), commit), root)
        with tarfile.open(archive) as files:
            files.extractall(source, filter="data")
        built = Path(scratch) / "wheel"
        _run(
            "wheel",
            (
                *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
                *("--no-build-isolation", "--wheel-dir", str(built), str(source)),
            ),
            root,
            {"SOURCE_DATE_EPOCH": time},
        )
        (wheel,) = built.glob("*.whl")
        return Path(shutil.copy(wheel, folder))


def build_image(root: Path, version: str) -> str:
    """Build the image with Docker. Return its tag. Raises BuildError, also without Docker."""
    if not (docker := shutil.which("docker")):
        raise BuildError("image: docker is not installed; --no-image builds the rest")
    tag = f"qnt9:{version}"
    _run("image", (docker, "build", "--quiet", "--tag", tag, str(root)), root)
    return tag


def write_checksums(folder: Path) -> Path:
    """Write the SHA-256 of every file of a folder, in the format of `sha256sum --check`."""
    target = folder / CHECKSUMS
    files = sorted(path for path in folder.iterdir() if path.is_file() and path != target)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    target.write_text("".join(lines), "utf-8")
    return target


def uncommitted_changes(root: Path) -> list[str]:
    """Return the paths that differ from the last commit, untracked ones included."""
    out = _run("git", ("git", "status", "--porcelain"), root)
    return [line[3:] for line in out.splitlines()]


def _run(
    what: str, command: tuple[str, ...], folder: Path, env: dict[str, str] | None = None
) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{what}: not finished within {BUILD_SECONDS} s") from error
    if done.returncode:
        raise BuildError(f"{what}: {' '.join(done.stderr.split())[-2000:]}")
    return done.stdout
