"""Clients with lives of their own: they sign up, verify, sign in, and change their watchlists."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.support.chaos.ledger import Cut, Entry, Kind, Ledger, Verdict
from tests.support.mailed_links import token_in
from tests.support.sizes import size
from tests.support.stack import AGENT, Stack
from tests.support.waiting import eventually

SYMBOLS = ("AAPL", "MSFT", "SAP.DE", "VOD.L", "X0001.DE", "X0002.DE")
NOTHING_WAS_SENT = {"broker-unavailable", "draining", "reads-unavailable"}
REQUEST_SECONDS = 25.0
WAIT_SECONDS = 120.0
RETRY_SECONDS = 1.0
CHANGES_IN_A_LIFE = size(22, 200)
IMPATIENCE = 0.25


@dataclass(frozen=True)
class Request:
    """What is sent, as often as it takes."""

    method: str
    path: str
    body: dict[str, Any] | None = None


@dataclass
class Client:
    """One person. The impatient ask only once, so that the ledger has what nobody knows."""

    stack: Stack
    ledger: Ledger
    chance: random.Random
    more: Callable[[], bool]
    timeout: float = WAIT_SECONDS
    pause: float = 0.0
    """Seconds between two commands."""
    email: str = field(default_factory=lambda: f"{uuid4().hex[:12]}@example.com")
    password: str = ""
    token: str = ""
    followed: dict[str, bool | None] = field(default_factory=dict)
    accepted: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.password = self.ledger.secrets.password()

    async def live(self) -> None:
        """Sign up and, if that was heard, all that comes after."""
        async with self.stack.http(timeout=REQUEST_SECONDS) as self.http:
            if await self._sign_up() and await self._verify() and await self._sign_in():
                for number in range(CHANGES_IN_A_LIFE):
                    if not self.more():
                        break
                    await asyncio.sleep(self.pause)
                    await self._do_something(number)
            for entry in self.accepted:
                await self._until_ended(entry)
        self.ledger.leave(self.email)

    async def _sign_up(self) -> bool:
        entry = Entry(Kind.SIGN_UP, self.email)
        body = {"email": self.email, "password": self.password, "display_name": "Ada"}
        await self._perhaps_twice(entry, Request("POST", "/auth/signup", body), chance=0.3)
        return entry.verdict is Verdict.OK

    async def _verify(self) -> bool:
        token = await eventually(
            self._mailed_token, seconds=self.timeout, what="a mail", every=RETRY_SECONDS
        )
        assert token
        self.ledger.secrets.mailed(token)
        entry = Entry(Kind.VERIFY, self.email)
        body = {"token": token, "password": self.password}
        await self._perform(entry, Request("POST", "/auth/verify", body), patient=True)
        return entry.verdict is Verdict.OK and await self._until_ended(entry)

    async def _mailed_token(self) -> str | None:
        """None while there is no mail, or no inbox."""
        try:
            mails = await self.stack.mails(self.email)
        except httpx.TransportError:
            return None
        return token_in(mails[0]) if mails else None

    async def _sign_in(self) -> bool:
        """Until it succeeds: each attempt is a command of its own."""
        body = {"email": self.email, "password": self.password}
        until = self._deadline()
        while not passed(until):
            entry = Entry(Kind.SIGN_IN, self.email)
            answer = await self._perform(entry, Request("POST", "/auth/signin", body))
            if answer is not None and entry.verdict is Verdict.OK:
                tokens = answer.json()
                self.token = tokens["access_token"]
                self.ledger.secrets.handed_out(self.token, tokens["refresh_token"])
                return True
            if entry.unexpected:
                break
        return False

    async def _do_something(self, number: int) -> None:
        lot = self.chance.random()
        if lot < 0.03:
            body = {"email": self.email, "password": self.ledger.secrets.password()}
            request = Request("POST", "/auth/signin", body)
            await self._perform(Entry(Kind.SIGN_IN_WRONG, self.email), request)
        elif lot < 0.06:
            await self._sign_in()
        else:
            await self._change(number, self.chance.choice(SYMBOLS), delete=lot < 0.25)

    async def _change(self, number: int, symbol: str, *, delete: bool) -> None:
        if delete:
            entry = Entry(Kind.DELETE, self.email, symbol)
            entry.changes = self.followed.get(symbol, False)
            request = Request("DELETE", f"/watchlist/{symbol}")
        else:
            entry = Entry(Kind.PUT, self.email, symbol, note=f"{number}: {uuid4().hex}")
            request = Request("PUT", f"/watchlist/{symbol}", {"note": entry.note})
        await self._perhaps_twice(entry, request, chance=0.1)
        if entry.verdict is Verdict.INDETERMINATE:
            self.followed[symbol] = None
        elif entry.verdict is Verdict.OK and self.followed.get(symbol, False) is not None:
            self.followed[symbol] = not delete

    async def _perhaps_twice(self, entry: Entry, request: Request, *, chance: float) -> None:
        """The same request, now and then sent twice at once."""
        self.ledger.open(entry)
        sending = [self._persist(entry, request, patient=self._patient())]
        if self.chance.random() < chance:
            sending.append(self._send(entry, request))
        await asyncio.gather(*sending)
        self.ledger.close(entry)

    def _patient(self) -> bool:
        return self.chance.random() >= IMPATIENCE

    async def _perform(
        self, entry: Entry, request: Request, *, patient: bool = False
    ) -> httpx.Response | None:
        self.ledger.open(entry)
        answer = await self._persist(entry, request, patient=patient)
        self.ledger.close(entry)
        return answer

    async def _persist(
        self, entry: Entry, request: Request, *, patient: bool
    ) -> httpx.Response | None:
        """Send until it is answered; the impatient stop when nobody knows."""
        answer, until = None, self._deadline()
        while not passed(until):
            answer = await self._send(entry, request)
            if answer is not None or (entry.verdict is Verdict.INDETERMINATE and not patient):
                break
            await asyncio.sleep(RETRY_SECONDS * self.chance.uniform(0.5, 1))
            await self._until_somebody_listens()
        return answer

    async def _send(self, entry: Entry, request: Request) -> httpx.Response | None:
        """The answer, if it settles the matter; the entry knows what became of it."""
        entry.requests += 1
        began = time.monotonic()
        headers = {"Idempotency-Key": entry.request_id, "X-Request-ID": entry.request_id}
        try:
            answer = await self._ask(request, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return None
        except httpx.TransportError:
            self.ledger.cuts.append(Cut(entry.name, began, time.monotonic()))
            entry.doubt()
            return None
        if answer.status_code in entry.kind.acknowledged:
            entry.verdict = Verdict.OK
            if location := answer.headers.get("location"):
                entry.location = location
                self.accepted.append(entry)
            return answer
        code = answer.json().get("code")
        if answer.status_code == 503:
            if code not in NOTHING_WAS_SENT:
                entry.doubt()
            return None
        if code == "unauthenticated":
            await self._sign_in()
            return None
        entry.unexpected = f"answered {answer.status_code} {answer.text}"
        return answer

    async def _ask(self, request: Request, headers: dict[str, str]) -> httpx.Response:
        headers = headers | {"User-Agent": AGENT}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return await self.http.request(
            request.method, f"/api/v1{request.path}", json=request.body, headers=headers
        )

    async def _until_somebody_listens(self) -> None:
        async def listens() -> bool:
            try:
                return (await self.http.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(listens, seconds=self.timeout, what="a gateway")

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.timeout

    async def _until_ended(self, entry: Entry) -> bool:
        """Every accepted command ends, as its handle says. It does what it was asked to do."""
        if entry.location is None:
            return True
        request = Request("GET", entry.location.removeprefix("/api/v1"))

        async def ended() -> str | None:
            try:
                answer = await self._ask(request, {})
            except httpx.TransportError:
                return None
            if answer.status_code == 401:
                await self._sign_in()
            status = str(answer.json().get("status"))
            return status if status in {"succeeded", "failed"} else None

        try:
            status = await eventually(
                ended, seconds=self.timeout, what=f"the end of {entry.name}", every=RETRY_SECONDS
            )
        except AssertionError as error:
            status = str(error)
        if status != "succeeded":
            entry.unexpected = f"in the end: {status}"
        entry.location = None
        return status == "succeeded"


def passed(deadline: float) -> bool:
    return asyncio.get_running_loop().time() > deadline
