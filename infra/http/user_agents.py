"""User agents in a few words that nobody else has written: safe to show in a mail or a list."""

import re
from functools import lru_cache

_PROGRAMS = (
    (re.compile(r"\bEdgA?/|\bEdgiOS/"), "Edge"),
    (re.compile(r"\bOPR/"), "Opera"),
    (re.compile(r"\bSamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"\bFirefox/|\bFxiOS/"), "Firefox"),
    (re.compile(r"\bChrom(?:e|ium)/|\bCriOS/"), "Chrome"),
    (re.compile(r"\bVersion/[\d.]+ .*Safari/"), "Safari"),
    (re.compile(r"^curl/"), "curl"),
    (re.compile(r"^python-|^Python/|^aiohttp", re.IGNORECASE), "a Python program"),
    (re.compile(r"^okhttp/|^Dalvik/"), "an Android app"),
    (re.compile(r"\bCFNetwork/"), "an Apple app"),
)
_SYSTEMS = (
    (re.compile(r"\biPhone\b|\biPod\b"), "an iPhone"),
    (re.compile(r"\biPad\b"), "an iPad"),
    (re.compile(r"\bAndroid\b"), "Android"),
    (re.compile(r"\bWindows\b"), "Windows"),
    (re.compile(r"\bMac OS X\b|\bMacintosh\b"), "a Mac"),
    (re.compile(r"\bCrOS\b"), "ChromeOS"),
    (re.compile(r"\bLinux\b"), "Linux"),
)
UNKNOWN = "an unknown program"


@lru_cache(maxsize=2_000)
def described(agent: str | None) -> str:
    """A program and a system, such as `Firefox on Windows`; what is not recognised is unknown.

    `agent` is a `User-Agent` header of anybody's choice, so none of its text is in the result.
    """
    text = (agent or "")[:512]
    program = next((name for pattern, name in _PROGRAMS if pattern.search(text)), None)
    system = next((name for pattern, name in _SYSTEMS if pattern.search(text)), None)
    if system is None:
        return program or UNKNOWN
    return f"{program or 'a program'} on {system}"
