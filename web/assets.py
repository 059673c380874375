"""The static files, each under a path that holds the hash of its content.

There is no build step. Modules import each other by relative paths; the import map of the page
leads the browser from these to the paths with hashes, which can be cached for ever.
"""

import gzip
import hashlib
import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

PREFIX = "/assets/"
HASH_DIGITS = 12
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, by suffix. Licences and manifests beside the files are not."""

_BARE = {
    "preact": "vendor/preact/dist/preact.mjs",
    "preact/hooks": "vendor/preact/hooks/dist/hooks.mjs",
    "htm": "vendor/htm/dist/htm.mjs",
}
_IMPORT = re.compile(r'^import [^;"]*\bfrom "([^"]+)";$', re.MULTILINE)
"""A static import; `import(…)` is a dynamic one."""


@dataclass(frozen=True)
class Asset:
    """One file: its content, the same compressed, and the path that names its content."""

    name: str
    content: bytes
    compressed: bytes
    media_type: str

    @property
    def path(self) -> str:
        """`js/api.js` is served as `/assets/js/api.<hash>.js`."""
        name = PurePosixPath(self.name)
        digest = hashlib.sha256(self.content).hexdigest()[:HASH_DIGITS]
        return f"{PREFIX}{name.with_name(f'{name.stem}.{digest}{name.suffix}')}"

    @property
    def is_script(self) -> bool:
        return self.media_type.startswith("text/javascript")

    @property
    def is_loaded_by_name(self) -> bool:
        """Whether a module loads it: scripts, and the styles of vendored scripts."""
        return self.is_script or self.name.startswith("vendor/")


def load_assets() -> dict[str, Asset]:
    """Every file that is served, by its name below `static/`. Blocks."""
    return {asset.name: asset for asset in _walk(files("web") / "static", "")}


def _walk(folder: Traversable, below: str) -> Iterator[Asset]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        name = f"{below}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{name}/")
        elif media_type := MEDIA_TYPES.get(PurePosixPath(name).suffix):
            content = entry.read_bytes()
            yield Asset(name, content, gzip.compress(content, 9, mtime=0), media_type)


def import_map(assets: dict[str, Asset]) -> str:
    """The import map (HTML standard) as JSON."""
    imports = {bare: assets[name].path for bare, name in _BARE.items()}
    imports |= {PREFIX + each.name: each.path for each in assets.values() if each.is_loaded_by_name}
    return json.dumps({"imports": imports}, separators=(",", ":"))


def static_imports(assets: dict[str, Asset], name: str) -> list[Asset]:
    """A module and all that it imports, in the order in which they are met.

    Modules that are imported dynamically are left out: the page loads them when it needs them.
    """
    found: dict[str, Asset] = {}
    waiting = [name]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found[name] = assets[name]
        for specifier in _IMPORT.findall(assets[name].content.decode()):
            folder = posixpath.dirname(name)
            waiting.append(
                _BARE.get(specifier) or posixpath.normpath(posixpath.join(folder, specifier))
            )
    return list(found.values())
