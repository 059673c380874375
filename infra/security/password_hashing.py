"""Passwords: argon2id (RFC 9106) at OWASP's minimum, one hash per core at a time; the rest wait."""

import asyncio
import os
import secrets
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

MEMORY_KIB = 19_456
ITERATIONS = 2
LANES = 1


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class HashingSlot:
    """The right to hash, held by whoever's turn it is. Works in a thread: the loop stays free."""

    def __init__(self, hasher: PasswordHasher, decoy: str) -> None:
        self._hasher = hasher
        self._decoy = decoy

    async def hash(self, password: str) -> str:
        """In PHC's format, with salt and parameters."""
        return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def matches(self, password: str, known: str | None) -> bool:
        """Whether it is the password of this hash. As long for no hash as for a wrong password."""
        try:
            await asyncio.to_thread(self._hasher.verify, known or self._decoy, _normal(password))
        except VerifyMismatchError:
            return False
        return known is not None

    async def renewed(self, password: str, known: str) -> str | None:
        """A new hash of a password that matched, where the old one has older parameters."""
        return await self.hash(password) if self._hasher.check_needs_rehash(known) else None


class Passwords:
    """Hands out turns, in the order in which they were asked for."""

    def __init__(
        self,
        *,
        at_once: int | None = None,
        memory_kib: int = MEMORY_KIB,
        iterations: int = ITERATIONS,
    ) -> None:
        hasher = PasswordHasher(time_cost=iterations, memory_cost=memory_kib, parallelism=LANES)
        self._slot = HashingSlot(hasher, hasher.hash(secrets.token_urlsafe()))
        self._slots = asyncio.Semaphore(at_once or cores())

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[HashingSlot]:
        """Waits for a core. Hold no connection or lock meanwhile."""
        async with self._slots:
            yield self._slot


def _normal(password: str) -> str:
    return unicodedata.normalize("NFC", password)
