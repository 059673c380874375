"""The images of compose.yaml by digest, as an override file for a release.

Digests are a registry's to say: they are asked for when a release is made, and never guessed.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SECONDS = 120
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Ask = Callable[[str], str]


class ImagesError(Exception):
    """A digest could not be learnt; the message says of which image and why."""


def images_of(compose: Mapping[str, Any]) -> dict[str, str]:
    """Services and their images from elsewhere; what is built here has no digest yet."""
    return {
        name: service["image"]
        for name, service in compose["services"].items()
        if not service["image"].startswith("qnt9:")
    }


def pinned(images: Mapping[str, str], ask: Ask) -> str:
    """An override file that names each image by tag and digest. Raises `ImagesError`."""
    digests = {image: ask(image) for image in sorted(set(images.values()))}
    lines = [
        "# Made by `make pin-images`: docker compose -f compose.yaml -f this-file up",
        "services:",
    ]
    lines += [f"  {name}: {{image: {image}@{digests[image]}}}" for name, image in images.items()]
    return "\n".join(lines) + "\n"


def ask_docker(image: str) -> str:
    """The digest of the index that the registry has under a tag. Raises `ImagesError`."""
    if not (docker := shutil.which("docker")):
        raise ImagesError(f"{image}: docker is not installed here, so its digest is not known")
    command = (docker, "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image)
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ImagesError(f"{image}: no answer within {SECONDS} s") from error
    digest = done.stdout.strip()
    if done.returncode or not _DIGEST.fullmatch(digest):
        raise ImagesError(f"{image}: {' '.join(done.stderr.split()) or 'no digest was reported'}")
    return digest


def write(compose: Path, target: Path) -> int:
    """Write the override file; how many services it names."""
    import yaml  # noqa: PLC0415  # a development package

    images = images_of(yaml.safe_load(compose.read_text("utf-8")))
    target.write_text(pinned(images, ask_docker), encoding="utf-8")
    return len(images)
