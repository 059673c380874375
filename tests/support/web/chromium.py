"""Chromium for the tests of the front end: that of the machine, or of its package manager."""

import os
import shutil
import subprocess
from functools import cache

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHOSEN = "QNT9_TEST_BROWSER"
"""The path of a browser to use instead."""
LEFT_OUT = "no Chromium: install it, or name one in QNT9_TEST_BROWSER"
INSTALL_SECONDS = 300


@cache
def chromium() -> str | None:
    """The path of a Chromium; installs it if the package manager can. None without one."""
    return os.environ.get(CHOSEN) or _found() or _installed()


def _found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _installed() -> str | None:
    """Only Debian's package is a browser; Ubuntu's of that name is an installer."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return None
    command = ("apt-get", "install", "--yes", "--no-install-recommends", "chromium")
    try:
        subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            timeout=INSTALL_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return _found()
