"""Whether somebody has an account: neither the answer nor the time that it takes tells."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import pytest

from gateway.commands.publisher import MIN_REPEATED_SECONDS
from tests.support.evidence import Evidence
from tests.support.sizes import FULL, size
from tests.support.stack import PASSWORD, Stack

SAMPLES = size(150, 2_000)
"""Of each kind."""

MAX_AUC = 0.55 if FULL else 0.64
"""0.5 is a coin. Chance alone moves it by 0.033 (one sigma) at 150 samples, by 0.009 at 2,000."""

KNOWN = size(10, 50)
UNTOLD = {"x-request-id", "date", "ratelimit", "ratelimit-policy"}


@dataclass
class Samples:
    """Seconds, by whether the address was known."""

    known: list[float] = field(default_factory=list)
    unknown: list[float] = field(default_factory=list)

    @property
    def auc(self) -> float:
        """How often a random known one took longer than a random unknown one; never below 0.5."""
        ranked = sorted([(t, True) for t in self.known] + [(t, False) for t in self.unknown])
        ranks = sum(rank for rank, (_, known) in enumerate(ranked, 1) if known)
        n, m = len(self.known), len(self.unknown)
        auc = (ranks - n * (n + 1) / 2) / (n * m)
        return max(auc, 1 - auc)


def displayed(answer: httpx.Response) -> tuple[object, ...]:
    """All that a caller can compare."""
    of_each = {"request_id", "trace_id"}
    body = {name: v for name, v in answer.json().items() if name not in of_each}
    if secret := body.get("signup_secret"):
        body["signup_secret"] = f"{len(secret)} characters"
    headers = {name: v for name, v in answer.headers.items() if name not in UNTOLD}
    return answer.status_code, body, headers, sorted(answer.headers)


ROUTES: dict[str, Callable[[str], dict[str, str]]] = {
    "signup": lambda email: {"email": email, "password": "Velvet-orchard-83-pebble"},
    "signin": lambda email: {"email": email, "password": "Wooden-compass-39-ribbon"},
    "password/forgot": lambda email: {"email": email},
    "verify/resend": lambda email: {"email": email},
}


@pytest.fixture(scope="module")
async def known(stack: Stack) -> list[str]:
    """Addresses of verified users."""
    return [(await stack.verified_user()).email for _ in range(KNOWN)]


@pytest.mark.prove
@pytest.mark.timeout(size(300, 1_800))
@pytest.mark.parametrize("route", ROUTES)
async def test_enumeration(
    stack: Stack, known: Sequence[str], route: str, evidence: Evidence
) -> None:
    samples, answers = Samples(), set[str]()
    chance = random.Random(20_261_125)
    async with stack.http() as http:
        for number in range(2 * SAMPLES):
            is_known = bool(number % 2)
            # As long as a known one, so that only who has it differs.
            email = chance.choice(known) if is_known else f"{uuid4().hex[:12]}@example.com"
            started = time.perf_counter()
            answer = await http.post(f"/api/v1/auth/{route}", json=ROUTES[route](email))
            took = time.perf_counter() - started
            (samples.known if is_known else samples.unknown).append(took)
            answers.add(repr(displayed(answer)))
    assert len(answers) == 1, answers
    assert samples.auc < MAX_AUC
    evidence.record(
        f"Enumeration by {route}",
        "Answers are the same, and times of known and unknown addresses cannot be told apart.",
        {"samples of each": SAMPLES, "AUC": f"{samples.auc:.3f} (0.5 is a coin, below 0.55)"},
    )


@pytest.mark.parametrize("same", [True, False])
async def test_neither_does_signing_up_again_with_the_same_key(
    stack: Stack, known: Sequence[str], *, same: bool
) -> None:
    answers = set[str]()
    async with stack.http() as http:
        for email in (*known, *(f"{uuid4().hex[:12]}@example.com" for _ in known)):
            key = {"Idempotency-Key": uuid4().hex}
            body = ROUTES["signup"](email)
            once = await http.post("/api/v1/auth/signup", json=body, headers=key)
            body |= {} if same else {"password": PASSWORD}
            started = time.perf_counter()
            again = await http.post("/api/v1/auth/signup", json=body, headers=key)
            assert time.perf_counter() - started >= MIN_REPEATED_SECONDS
            assert again.status_code == (202 if same else 422)
            assert (displayed(once) == displayed(again)) is same
            answers.add(repr(displayed(again)))
    assert len(answers) == 1, answers


async def test_the_password_that_is_right_is_no_part_of_this(
    stack: Stack, known: Sequence[str]
) -> None:
    assert (await stack.sign_in(known[0], PASSWORD)).access_token
