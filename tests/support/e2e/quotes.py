"""Symbols that no test has asked for, and quotes of several."""

from itertools import count
from typing import Any

import httpx

_numbers = count(5_000)


def cold(n: int = 1) -> list[str]:
    """Symbols that nobody has asked for yet."""
    return [f"X{next(_numbers):04}.DE" for _ in range(n)]


async def quotes(http: httpx.AsyncClient, *symbols: str) -> list[dict[str, Any]]:
    answer = await http.get("/api/v1/quotes", params={"symbols": ",".join(symbols)})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
