"""The links in mails."""

import re
from typing import Any


def token_in(mail: dict[str, Any]) -> str:
    """The token of the link in a mail."""
    found = link_in(mail)
    assert found, mail["text"]
    return found[1]


def link_in(mail: dict[str, Any]) -> re.Match[str] | None:
    return re.search(r"[?&]token=([A-Za-z0-9_-]+)", mail["text"])
