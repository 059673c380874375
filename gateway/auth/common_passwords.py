"""The passwords that everybody tries first, offline: more than 100,000, as hashes in order.

`common_passwords.bin` has the first 5 bytes of the SHA-256 of each, in lower case. Another password
is in it by chance once in six million. It is made from lists of words, which NOTICE names with
their licences, by `python -m gateway.auth.common_passwords FILE … > common_passwords.bin`.
"""

import hashlib
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

HASH_BYTES = 5
SHORTEST_WORD = 4
MAX_AROUND = 7
"""How many characters around a usual word do not make it another: `Berlin` and `Berlin#2026!`."""

_LOOKS_LIKE = str.maketrans("@4831!|$507", "aabeiiissot")
_ENDS = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_BETWEEN = re.compile(r"[\W_]+")
_PHRASES = ("correcthorse", "batterystaple", "troubador", "iloveyou", "letmein")
_PRODUCT = "qnt9"


def is_common(password: str) -> bool:
    """Whether everybody tries it first, or tries what is left of it without usual additions.

    Taken away are digits and signs at both ends, and between words; `@` and the like are read as
    the letters that they stand for.
    """
    text = password.casefold()
    if _PRODUCT in text:
        return True
    if any(_listed(each) for each in {text, text.translate(_LOOKS_LIKE)}):
        return True
    for read in (text, text.translate(_LOOKS_LIKE), _ENDS.sub("", text).translate(_LOOKS_LIKE)):
        word = _ENDS.sub("", read)
        joined = _BETWEEN.sub("", word)
        letters = re.sub(r"[\W\d_]+", "", word)
        if any(phrase in letters for phrase in _PHRASES):
            return True
        if len(text) - len(word) > MAX_AROUND:
            continue
        if any(len(each) >= SHORTEST_WORD and _listed(each) for each in (word, joined, letters)):
            return True
    return False


def count() -> int:
    """How many entries the list has."""
    return len(_hashes()) // HASH_BYTES


def _listed(text: str) -> bool:
    hashes, wanted = _hashes(), _hash(text)
    low, high = 0, len(hashes) // HASH_BYTES
    while low < high:
        middle = (low + high) // 2
        if hashes[middle * HASH_BYTES : (middle + 1) * HASH_BYTES] < wanted:
            low = middle + 1
        else:
            high = middle
    return hashes[low * HASH_BYTES : (low + 1) * HASH_BYTES] == wanted


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:HASH_BYTES]


@cache
def _hashes() -> bytes:
    return (files("gateway.auth") / "common_passwords.bin").read_bytes()


def built(passwords: Iterable[str]) -> bytes:
    """The list of these passwords, as it is kept."""
    hashes = {_hash(each.strip().casefold()) for each in passwords if each.strip()}
    return b"".join(sorted(hashes))


if __name__ == "__main__":
    lines = (line for name in sys.argv[1:] for line in Path(name).read_text("utf-8").splitlines())
    sys.stdout.buffer.write(built(lines))
