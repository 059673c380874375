"""Files of an npm package that are kept in the repository, checked against the package's hash."""

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FOLDERS = (
    Path("gateway/http/static/swagger-ui"),
    *(Path("web/static/vendor") / name for name in ("preact", "htm", "uplot")),
)
MANIFEST = "vendored.json"


class VendorError(Exception):
    """The package could not be had, or is not the one that is named."""


def update(folder: Path) -> list[Path]:
    """Fetch the version that the manifest names, and write its files and their hashes.

    To upgrade, change `version` and `integrity` (`npm view NAME@VERSION dist.integrity`) first.
    Raises `VendorError`.
    """
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        archive = _fetched(f"{manifest['package']}@{manifest['version']}", Path(scratch))
        if integrity(archive.read_bytes()) != manifest["integrity"]:
            raise VendorError(f"{archive.name} is not the package that {MANIFEST} names")
        contents = _contents(archive, list(manifest["files"]))
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    return [folder / name for name in contents]


def integrity(archive: bytes) -> str:
    """The hash of an archive as npm writes it."""
    return f"sha512-{base64.b64encode(hashlib.sha512(archive).digest()).decode()}"


def changed(folder: Path) -> list[str]:
    """The files that are not as the manifest has them."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    return [
        name
        for name, digest in manifest["files"].items()
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest
    ]


def _fetched(package: str, scratch: Path) -> Path:
    try:
        subprocess.run(  # noqa: S603  # the package is named in our own file
            ("npm", "pack", "--silent", package),  # noqa: S607  # whichever npm there is
            cwd=scratch,
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise VendorError(f"npm pack {package} failed: {error}") from error
    return next(scratch.glob("*.tgz"))


def _contents(archive: Path, names: list[str]) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive) as opened:
        for name in names:
            member = opened.extractfile(f"package/{name}")
            if member is None:
                raise VendorError(f"{archive.name} has no file {name}")
            found[name] = member.read()
    return found
