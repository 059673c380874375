"""The named policies: what they count, whom they count it for, how much of it there may be.

An endpoint declares its policies; the numbers of a name come in a strict and a relaxed set.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from contracts.values import Tier

MINUTE, HOUR, DAY = 60, 3_600, 86_400


class By(Enum):
    """Whom a policy counts for."""

    CLIENT = "client address"
    ACCOUNT = "account"
    SESSION = "session of the token"
    PAIR = "account and client address"
    NETWORK = "network"
    EVERYBODY = "all clients"


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many within so many seconds."""

    most: int
    seconds: int


ByTier = Mapping[str, Quota]
"""By tier; every tier has a number."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """One thing that is counted.

    `closed`: without the cache server a process allows a quarter of it, on its own count; the
    others stay open: each process then allows all of it. `shown`: its remainder is shown to
    clients; what an account has left would tell a stranger about the owner. `until_success`:
    the count begins anew when what was tried succeeds. `spares_known_by`: the
    name of such a policy; an account that has succeeded from this client address is spared.
    `failures`: a success is taken back, so that failures alone count. `slows`: beyond it a request
    waits instead of being refused.
    """

    name: str
    by: By
    closed: bool = False
    displayed: bool = True
    until_success: bool = False
    spares_known_by: str | None = None
    failures: bool = False
    slows: bool = False


_FAILURES = "signin-failures"

SIGN_UP = (
    Policy("signup-client", By.CLIENT, closed=True),
    Policy("signup-network", By.NETWORK, closed=True, displayed=False),
)
"""Not by account: anybody may name an address, and its owner shall not be shut out by that."""
SIGN_IN = (
    Policy("signin-client", By.CLIENT, closed=True),
    Policy("signin-network", By.NETWORK, closed=True, displayed=False),
    Policy(
        "signin-account",
        By.ACCOUNT,
        closed=True,
        displayed=False,
        spares_known_by="signin-failures",
    ),
    Policy(
        "signin-account-day",
        By.ACCOUNT,
        closed=True,
        displayed=False,
        failures=True,
        spares_known_by="signin-failures",
    ),
    Policy("signin-failures", By.PAIR, closed=True, displayed=False, until_success=True),
    Policy(
        "signin-everybody",
        By.EVERYBODY,
        displayed=False,
        failures=True,
        slows=True,
        spares_known_by="signin-failures",
    ),
)
"""Guessing one password for many accounts is counted by network and over everybody, too.

Over everybody a request only waits: whoever sprays must not lock all the others out.
"""
MAIL = (
    Policy("mail-client", By.CLIENT, closed=True),
    Policy("mail-network", By.NETWORK, closed=True, displayed=False),
)
"""For whatever mails an address that the caller names.

How much one address is mailed is counted where mails are made (`workers/notifications/allowances`):
asking too often is answered as always, and nothing is sent.
"""
EMAIL_CHANGE = (*MAIL, Policy("mail-account", By.ACCOUNT, closed=True, displayed=False))
"""For a signed-in user who asks for another address, also counted by that user."""

_CLIENT = Policy("client", By.CLIENT)
FAULTY = (_CLIENT,)
"""For requests that no route takes: without a valid token or body."""

LINK = (Policy("link-client", By.CLIENT),)
"""For what is done with a mailed token."""

STATUS = (Policy("status-client", By.CLIENT),)
READ = (_CLIENT, Policy("read", By.ACCOUNT), Policy("read-token", By.SESSION))
WRITE = (_CLIENT, Policy("write", By.ACCOUNT), Policy("write-token", By.SESSION))
QUOTE = (_CLIENT, Policy("quote", By.ACCOUNT), Policy("quote-token", By.SESSION))
STREAM = (_CLIENT, Policy("stream", By.ACCOUNT), Policy("stream-token", By.SESSION))
"""For streams that are opened, and the tickets that open them."""

REFRESH = (Policy("refresh-client", By.CLIENT),)
PASSWORD = (
    *WRITE,
    Policy("password-failures", By.SESSION, closed=True, displayed=False, until_success=True),
)
"""For what a signed-in user must give the password again: a stolen token shall not guess it.

By session, so that a thief with many addresses has no more tries, and the owner, who signs in anew,
still has all of them.
"""

POLICIES = {
    policy.name: policy
    for group in (
        SIGN_UP,
        SIGN_IN,
        EMAIL_CHANGE,
        LINK,
        STATUS,
        READ,
        QUOTE,
        STREAM,
        REFRESH,
        PASSWORD,
    )
    for policy in group
}


def _same(most: int, seconds: int = MINUTE) -> ByTier:
    return dict.fromkeys(Tier, Quota(most, seconds))


def _tiers(free: int, plus: int, pro: int) -> ByTier:
    numbers = zip(Tier, (free, plus, pro), strict=True)
    return {tier: Quota(most, MINUTE) for tier, most in numbers}


STRICT: Mapping[str, ByTier] = {
    "signup-client": _same(10, HOUR),
    "signup-network": _same(60, HOUR),
    "signin-client": _same(30),
    "signin-network": _same(300, 5 * MINUTE),
    "signin-account-day": _same(100, DAY),
    "signin-everybody": _same(600),
    "signin-account": _same(20),
    "signin-failures": _same(5, 5 * MINUTE),
    "mail-client": _same(20, HOUR),
    "mail-network": _same(100, HOUR),
    "mail-account": _same(5, HOUR),
    "link-client": _same(30),
    "status-client": _same(600),
    "refresh-client": _same(120),
    "password-failures": _same(5, 5 * MINUTE),
    "client": _same(3_000),
    "read": _tiers(240, 600, 2_400),
    "read-token": _tiers(120, 300, 1_200),
    "write": _tiers(120, 300, 1_200),
    "write-token": _tiers(60, 150, 600),
    "quote": _tiers(120, 600, 2_400),
    "quote-token": _tiers(60, 300, 1_200),
    "stream": _same(60),
    "stream-token": _same(30),
}
_PLENTY = 1_000_000
RELAXED: Mapping[str, ByTier] = {name: _same(_PLENTY) for name in STRICT} | {
    "signin-failures": _same(1_000),
    "password-failures": _same(1_000),
    "mail-account": _same(1_000),
}
SETS = {"strict": STRICT, "relaxed": RELAXED}


def with_changes(base: Mapping[str, ByTier], text: str) -> Mapping[str, ByTier]:
    """The base with each `name=most/seconds` or `name.tier=most/seconds` in it, between commas.

    Raises `ValueError` that names the part it cannot read.
    """
    numbers = {name: dict(quotas) for name, quotas in base.items()}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, quota = part.partition("=")
        name, _, tier = name.partition(".")
        try:
            most, seconds = map(int, quota.split("/"))
            tiers = [Tier(tier)] if tier else list(Tier)
        except ValueError:
            raise ValueError(
                f"{part!r} is not name=most/seconds or name.tier=most/seconds"
            ) from None
        if name not in numbers:
            raise ValueError(f"there is no policy {name!r}")
        if most < 1 or seconds < 1:
            raise ValueError(f"{part!r} allows nothing")
        numbers[name] |= {tier: Quota(most, seconds) for tier in tiers}
    return numbers


TIMES_STRICT = {True: 10, False: 100}
"""So many times the strict number is no limit any more: of policies that are closed, of others."""


def excessive(text: str) -> Iterator[str]:
    """Changes that leave a policy without effect: far more at once, or in the long run."""
    try:
        changed = with_changes(STRICT, text)
    except ValueError:
        return
    for name, quotas in changed.items():
        times = TIMES_STRICT[POLICIES[name].closed]
        for tier, quota in quotas.items():
            strict = STRICT[name][tier]
            rate, strict_rate = quota.most / quota.seconds, strict.most / strict.seconds
            if quota.most > times * strict.most or rate > times * strict_rate:
                yield (
                    f"{name}={quota.most}/{quota.seconds} is more than {times} times the strict "
                    f"{strict.most}/{strict.seconds}"
                )
                break
