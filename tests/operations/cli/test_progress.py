from typing import Any

import pytest
from rich.console import Console

from operations.cli.progress import print_status


def displayed(provider: dict[str, Any]) -> str:
    process = {"name": "quotes", "pid": 7, "state": "ready", "health_url": None}
    status = {"state": "ready", "data": "d", "processes": [process | _details(provider)]}
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        print_status(console, status)
    return capture.get()


def _details(provider: dict[str, Any]) -> dict[str, Any]:
    return {"details": {"providers": [provider]}}


WELL: dict[str, Any] = {
    "name": "yahoo",
    "circuit": "closed",
    "until": None,
    "limited": False,
    "last_error": None,
    "last_error_at": None,
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "yahoo: circuit closed\n"),
        (
            {"circuit": "open", "until": "12:00", "limited": True},
            "yahoo: circuit open until 12:00, as it asked\n",
        ),
        (
            {"last_error": "status 503", "last_error_at": "11:59"},
            "yahoo: circuit closed; last error status 503 at 11:59\n",
        ),
    ],
)
def test_status_says_how_a_provider_does(changed: dict[str, Any], words: str) -> None:
    assert words in displayed(WELL | changed)
