"""A user with a filled watchlist, made as any client would: by the API and the mailed link."""

import asyncio
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

import httpx

SYMBOLS = {
    "SAP.DE": "The results come in January",
    "AAPL": None,
    "VOD.L": "Quoted in pence",
    "NVDA": "Split 10:1 in June 2024",
    "BTC-USD": None,
    "NESN.SW": None,
}
"""What the sandbox exchange lists, with notes."""
MAIL_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.2
_TOKEN = re.compile(r"[?&]token=([A-Za-z0-9_-]+)")


class DemoError(Exception):
    """The system did not do what the demo needs; says what it answered."""


@dataclass(frozen=True, slots=True)
class DemoUser:
    """How the demo user signs in."""

    email: str
    password: str


def new_demo_user() -> DemoUser:
    """A user that nobody else has, with a password that nobody can guess."""
    return DemoUser(f"demo-{secrets.token_hex(4)}@example.com", f"Demo-{secrets.token_urlsafe(12)}")


async def sign_up(gateway: httpx.AsyncClient, inbox: httpx.AsyncClient, user: DemoUser) -> None:
    """Sign up, wait for the mail and confirm it. Raises `DemoError` and `httpx.HTTPError`."""
    body = {"email": user.email, "password": user.password, "display_name": "Demo"}
    accepted = _answer(await gateway.post("/api/v1/auth/signup", json=body), 202)
    proof = {"token": await _mailed_token(inbox, user.email)}
    proof |= {"signup_secret": accepted["signup_secret"]}
    _answer(await gateway.post("/api/v1/auth/verify", json=proof), 200, 202)


async def sign_in(gateway: httpx.AsyncClient, user: DemoUser) -> str | None:
    """The access token; None when the user does not exist. Raises as `sign_up`."""
    body = {"email": user.email, "password": user.password}
    answer = await gateway.post("/api/v1/auth/signin", json=body)
    if answer.status_code == 401:
        return None
    token: str = _answer(answer, 200)["access_token"]
    return token


async def fill_watchlist(gateway: httpx.AsyncClient, token: str) -> None:
    """Add the symbols that are missing, and put them first. Raises as `sign_up`."""
    headers = {"Authorization": f"Bearer {token}"}
    for symbol, note in SYMBOLS.items():
        path = f"/api/v1/watchlist/{symbol}"
        answer = await gateway.put(path, json={"note": note}, headers=headers)
        _answer(answer, 200, 201, 202)
    order = {"order": [*SYMBOLS]}
    _answer(await gateway.patch("/api/v1/watchlist", json=order, headers=headers), 200, 202)


async def _mailed_token(inbox: httpx.AsyncClient, email: str) -> str:
    ends = time.monotonic() + MAIL_SECONDS
    while time.monotonic() < ends:
        found = (await inbox.get("/api/v1/messages", params={"to": email})).raise_for_status()
        if match := _TOKEN.search(found.text):
            return match[1]
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    raise DemoError(f"no mail came within {MAIL_SECONDS:.0f} s: see qnt9 status and the inbox")


def _answer(answer: httpx.Response, *expected: int) -> dict[str, Any]:
    """The body. Raises `DemoError` for another status."""
    if answer.status_code not in expected:
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise DemoError(f"{asked} answered {answer.status_code}: {answer.text[:300]}")
    body: dict[str, Any] = answer.json()
    return body
