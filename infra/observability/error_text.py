"""Errors as text for people: one line, never empty."""

import asyncio
import os

from infra.runtime.tls import distrust


def one_line(text: str) -> str:
    """The same words without line breaks."""
    return " ".join(text.split())


def describe(error: BaseException) -> str:
    """An error in one line that is never empty: what TLS or the system says, and of which file.

    `str(TimeoutError())` and its like are empty; their type is the text.
    """
    if untrusted := distrust(error):
        return untrusted
    if isinstance(error, TimeoutError | asyncio.TimeoutError) and not str(error):
        return "no answer in time"
    text = _of_system(error) if isinstance(error, OSError) else ""
    return text or one_line(str(error)) or type(error).__name__


def _of_system(error: OSError) -> str:
    """What the system says, and of which files; empty when it says nothing."""
    refused = isinstance(error, ConnectionRefusedError)
    text = "connection refused" if refused else error.strerror
    if not text or text.startswith("Connect call failed"):  # asyncio's own words
        text = os.strerror(error.errno) if error.errno else ""
    names = [str(each) for each in (error.filename, error.filename2) if each is not None]
    return one_line(f"{', '.join(names)}: {text}" if names and text else text)
