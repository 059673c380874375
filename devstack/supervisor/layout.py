"""Where things are in a data folder. All of it is the owner's alone."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    root: Path

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What only a running system needs: control socket, lock, records, generated settings."""
        return self.root / "run"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    @property
    def lock(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def records(self) -> Path:
        return self.run / "processes.json"

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def create(self) -> None:
        if not self.root.exists():
            self.root.mkdir(parents=True, mode=0o700)
        for folder in (self.logs, self.run, self.valkey, self.mail):
            folder.mkdir(mode=0o700, exist_ok=True)


def cache_folder() -> Path:
    """What can be fetched again; shared by all data folders of a user."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "qnt9"


def package_folder(package: str) -> Path:
    """Where a package of binaries is; its Python is neither wanted nor run."""
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, and readable by the owner alone from its first byte on."""
    apart = path.with_name(f"{path.name}.new")
    apart.unlink(missing_ok=True)
    handle = os.open(apart, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    apart.replace(path)
