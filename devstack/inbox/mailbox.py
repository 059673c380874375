"""A folder of mails, one file each. What `keep` returned from is on the disk."""

import os
import threading
import time
from functools import lru_cache
from pathlib import Path

from devstack.inbox.message import Delivery, Message, parse, recipients_of

_SUFFIX = ".eml"
_UNFINISHED = ".part"
_PARSED_AT_ONCE = 4096


class Mailbox:
    """Safe to use from several threads; only one process may use a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in folder.glob(f"*{_UNFINISHED}"):
            left_over.unlink()
        self._folder = folder
        self._lock = threading.Lock()
        self._recipients = {
            path.stem: recipients_of(path.read_bytes())
            for path in folder.glob(f"*{_SUFFIX}")
            if _is_id(path.stem)
        }
        self._last_id = max((int(id_, 16) for id_ in self._recipients), default=0)
        self._message = lru_cache(maxsize=_PARSED_AT_ONCE)(self._read)

    def keep(self, delivery: Delivery, content: bytes) -> str:
        """Blocks until the mail would survive a power cut; returns its id."""
        id_ = self._next_id()
        unfinished = self._folder / f"{id_}{_UNFINISHED}"
        try:
            _write_through(unfinished, delivery.stamped_on(content))
            unfinished.rename(self._path(id_))
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        _sync_folder(self._folder)
        with self._lock:
            self._recipients[id_] = delivery.recipients
        return id_

    def messages(self, to: str | None = None, limit: int | None = None) -> list[Message]:
        """Newest first; the address in any case of letters."""
        with self._lock:
            wanted = sorted(
                (i for i, r in self._recipients.items() if _is_for(r, to)), reverse=True
            )
        found = (self.message(id_) for id_ in wanted[:limit])
        return [message for message in found if message is not None]

    def message(self, id_: str) -> Message | None:
        with self._lock:
            if id_ not in self._recipients:
                return None
        try:
            return self._message(id_)
        except FileNotFoundError:
            return None  # deleted in between

    def clear(self) -> None:
        with self._lock:
            for id_ in self._recipients:
                self._path(id_).unlink(missing_ok=True)
            self._recipients.clear()
            self._message.cache_clear()
        _sync_folder(self._folder)

    def __len__(self) -> int:
        return len(self._recipients)

    def problem(self) -> str | None:
        """Why no mail can be kept, or None."""
        return None if os.access(self._folder, os.W_OK | os.X_OK) else "cannot be written"

    def _next_id(self) -> str:
        with self._lock:
            self._last_id = max(self._last_id + 1, time.time_ns())
            return f"{self._last_id:016x}"

    def _path(self, id_: str) -> Path:
        return self._folder / f"{id_}{_SUFFIX}"

    def _read(self, id_: str) -> Message:
        return parse(id_, self._path(id_).read_bytes())


def _is_id(name: str) -> bool:
    return len(name) == 16 and set(name) <= set("0123456789abcdef")


def _is_for(recipients: tuple[str, ...], to: str | None) -> bool:
    return to is None or to.casefold() in (recipient.casefold() for recipient in recipients)


def _write_through(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
