"""How hard a new password is to guess: usual shapes, and passwords that are known from breaches.

What takes longer than looking at the text itself is here and not in `passwords.py`: it is asked for
after a request was counted, so nobody can make this process estimate more than the limits allow.
"""

import asyncio
import hashlib
import re
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import structlog
from prometheus_client import Counter
from zxcvbn import zxcvbn

from gateway.problems import ProblemError

log = structlog.get_logger(__name__)

FEWEST_GUESSES = 10**7.9
"""Below eight characters at random, which are 10**8 for zxcvbn's model of a guesser."""
MAX_ESTIMATED = 40
"""Characters that are looked at: the time grows with the square of their number."""
RANGE_SECONDS = 1.0
MAX_RANGE_BYTES = 512 * 1024
_OURS = ("qnt9", "qnt", "quant", "stock", "stocks", "watchlist", "ticker", "shares", "trading")
_GUESSED = "follows a common pattern: add words or characters that are hard to guess"
_BREACHED = "is known from a breach of another service"

RANGE_QUERIES = Counter(
    "qnt9_gateway_breached_password_queries_total",
    "Questions to the server that knows breached passwords, by how they ended",
    ["end"],
)


def is_guessable(password: str, *known: str | None) -> bool:
    """Whether a guesser who knows usual shapes finds it early. `known`: what belongs to the user.

    Words with digits and signs, letters written as digits, walks over a keyboard, dates,
    repetitions and the product's own words (zxcvbn: Wheeler, USENIX Security 2016).
    """
    parts = [part for text in known if text for part in [text, *re.split(r"[\W_]+", text)]]
    inputs = [*_OURS, *(part for part in parts if len(part) > 2)]
    estimate = zxcvbn(password[:MAX_ESTIMATED], user_inputs=inputs)
    return float(estimate["guesses"]) < FEWEST_GUESSES


class BreachedPasswords:
    """A server that knows breached passwords by the first five digits of their SHA-1 hashes.

    The protocol is that of Have I Been Pwned's range search: the server never learns the password,
    nor which of some hundreds of hashes was meant. While it is away everything is taken.
    """

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = url.rstrip("/")
        self._http = http

    async def has(self, password: str) -> bool:
        """Whether the server knows it. Never raises; false, and counted, when it cannot say."""
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            async with asyncio.timeout(RANGE_SECONDS):
                found = await self._ask(digest[:5], digest[5:])
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            RANGE_QUERIES.labels("failed").inc()
            log.warning("breached_passwords_not_checked", error=type(error).__name__)
            return False
        RANGE_QUERIES.labels("found" if found else "not_found").inc()
        return found

    async def _ask(self, prefix: str, suffix: str) -> bool:
        headers = {"Add-Padding": "true", "Accept": "text/plain"}
        answer = await self._http.get(f"{self._url}/range/{prefix}", headers=headers)
        answer.raise_for_status()
        if len(answer.content) > MAX_RANGE_BYTES:
            raise ValueError("the answer is too long")
        for line in answer.text.splitlines():
            known, _, times = line.strip().partition(":")
            if known.upper() == suffix:
                return times.strip() not in {"", "0"}
        return False


class Strength:
    """What a new password must withstand, besides the rules that its text alone can break."""

    def __init__(self, breached: BreachedPasswords | None = None) -> None:
        self._breached = breached
        self._estimating = asyncio.Lock()

    async def require(self, field: str, password: str, *known: str | None) -> None:
        """Raises `ProblemError`, as for a field that breaks a rule.

        Estimates one password at a time, in a thread: several threads would take the interpreter
        from the event loop, and a flood of sign-ups would delay everybody else's answers.
        """
        password = unicodedata.normalize("NFC", password)
        fault = None
        async with self._estimating:
            guessable = await asyncio.to_thread(is_guessable, password, *known)
        if guessable:
            fault = _GUESSED
        elif self._breached and await self._breached.has(password):
            fault = _BREACHED
        if fault:
            raise ProblemError("invalid-fields", errors=[{"field": field, "message": fault}])


@asynccontextmanager
async def open_strength(url: str) -> AsyncIterator[Strength]:
    """With questions to the server of this address; without any where it is empty."""
    if not url:
        yield Strength()
        return
    async with httpx.AsyncClient(timeout=RANGE_SECONDS, follow_redirects=False) as http:
        yield Strength(BreachedPasswords(url, http))
