"""Bills of materials in CycloneDX, from the lock files: what the image and the extra install."""

import subprocess
import sys
from pathlib import Path

LOCKS = ("runtime", "embedded")
SPECIFICATION = "1.6"


class SbomError(Exception):
    """The generator failed; the message is its own."""


def write(root: Path, folder: Path) -> list[Path]:
    """One file for each lock, the same bytes for the same lock. Raises `SbomError`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name in LOCKS:
        target = folder / f"qnt9-{name}.cdx.json"
        command = (
            *(sys.executable, "-m", "cyclonedx_py", "requirements"),
            *(
                "--pyproject",
                str(root / "pyproject.toml"),
                "--short-PURLs",
                "--output-reproducible",
            ),
            *("--spec-version", SPECIFICATION, "--output-file", str(target)),
            str(root / "requirements" / f"{name}.txt"),
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise SbomError(f"{name}: {' '.join(done.stderr.split())}")
        made.append(target)
    return made
