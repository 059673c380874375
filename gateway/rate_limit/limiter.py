"""Whether a request may go on: its policies' counts, in the cache server or, without it, here."""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from prometheus_client import Counter

from contracts.values import Tier
from gateway.problems import ProblemError
from gateway.rate_limit.policies import By, ByTier, Policy, Quota
from gateway.rate_limit.shared_windows import SharedWindows
from gateway.rate_limit.window import Check, Count, Windows
from infra.security.client_cipher import network_of

KNOWN_SECONDS = 30 * 24 * 3_600
"""How long somebody who signed in from an address is known there."""
LOCAL_SHARE = 4
MIN_LOCAL = 2
LOCAL_KEYS = 100_000
REFUSALS_REMEMBERED = 20_000
_IPV6_SITE = 64

REFUSED = Counter("qnt9_gateway_rate_limited_total", "Requests refused, by policy", ["policy"])
SLOWED = Counter("qnt9_gateway_slowed_total", "Requests that waited for the count of everybody")
SLOWED_SECONDS = 3.0
"""How long a request waits beyond what everybody together may do."""

Policies = tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a request is counted for. `account`: the user's id, or the hash of an address."""

    client: str | None
    account: str | None = None
    session: str | None = None
    tier: str = Tier.FREE

    def name(self, by: By) -> str | None:
        """What a policy counts it under; None when it does not concern this caller."""
        match by:
            case By.CLIENT:
                return site_of(self.client)
            case By.ACCOUNT:
                return self.account
            case By.SESSION:
                return self.session
            case By.PAIR:
                return self.account and f"{self.account} {site_of(self.client)}"
            case By.NETWORK:
                return network_of(self.client)
            case By.EVERYBODY:
                return "everybody"


@dataclass(slots=True)
class Taken:
    """What one request is counted under, and the headers that tell of it."""

    tier: str
    policies: list[Policy] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    locally: bool = False
    """Whether the cache server could not say, so that this process counted."""
    slowed: bool = False
    given_back: list[str] = field(default_factory=list)
    """What is counted elsewhere of a failure alone."""
    """Whether the request is to wait before it goes on."""


class Limits:
    """Counts requests. Who was refused is remembered until it can be otherwise: without a trip."""

    def __init__(self, shared: SharedWindows, numbers: Mapping[str, ByTier], secret: bytes) -> None:
        self._shared = shared
        self._numbers = numbers
        self._secret = secret
        self._open = Windows(LOCAL_KEYS)
        self._closed = Windows(LOCAL_KEYS)
        self._refusals: dict[str, float] = {}
        self._texts: dict[tuple[Policies, str], str] = {}

    def refuse_early(self, policies: Policies, client: str | None) -> None:
        """Before any work for a client who was refused a moment ago. Raises `ProblemError`."""
        if self._refusals:
            self._refuse_again(self._asked(policies, Caller(client)), policies)

    async def take(self, policies: Policies, caller: Caller) -> Taken:
        """Count a request. Raises `ProblemError` when one of its policies refuses it."""
        taken = self._asked(tuple(p for p in policies if not p.slows), caller)
        if not taken.checks:
            return taken
        if self._refusals:
            self._refuse_again(taken, policies)
        slowing = self._asked(tuple(p for p in policies if p.slows), caller)
        slow: list[Count] | None = None
        if slowing.checks:
            counts, slow = await asyncio.gather(
                self._shared.take(taken.checks), self._shared.take(slowing.checks)
            )
        else:
            counts = await self._shared.take(taken.checks)
        if slow and any(count.refused for count in slow):
            SLOWED.inc()
            taken.slowed = True
        elif slow:
            taken.given_back = [check.key for check in slowing.checks]
        if counts is None:
            taken.locally = True
            counts = self._locally(taken)
        if not any(count.refused for count in counts):
            taken.headers = self._headers(policies, taken, counts)
            return taken
        seconds, i = max((c.seconds, i) for i, c in enumerate(counts) if c.refused)
        self._remember(taken.policies[i], taken.checks[i].key, seconds)
        raise self._refusal(taken.policies[i], seconds, self._headers(policies, taken, counts))

    async def succeeded(self, taken: Taken) -> None:
        """What is counted until a success begins anew; its caller is known from now on."""
        for policy, check in zip(taken.policies, taken.checks, strict=True):
            if policy.until_success:
                self._closed.forget(check.key)
                await self._shared.forget(check.key, known=_known(check.key), seconds=KNOWN_SECONDS)
        await self._give_back(taken, lambda policy: policy.failures)

    async def not_tried(self, taken: Taken) -> None:
        """Through no fault of the caller's, so it is no failure of theirs."""
        await self._give_back(taken, lambda policy: policy.until_success or policy.failures)

    async def _give_back(self, taken: Taken, counts: Callable[[Policy], bool]) -> None:
        keys = [
            check.key
            for policy, check in zip(taken.policies, taken.checks, strict=True)
            if counts(policy)
        ]
        for key in keys:
            if taken.locally:
                self._closed.give_back(key)
            else:
                await self._shared.give_back(key)
        for key in taken.given_back:
            await self._shared.give_back(key)

    def _asked(self, policies: Policies, caller: Caller) -> Taken:
        taken = Taken(caller.tier)
        for policy in policies:
            name = caller.name(policy.by)
            if name is None:
                continue
            quota = self._quota(policy, caller.tier)
            unless = None
            if policy.spares_known_by and (pair := caller.name(By.PAIR)):
                unless = _known(self._key(policy.spares_known_by, pair))
            taken.policies.append(policy)
            key = self._key(policy.name, name)
            taken.checks.append(Check(key, quota.most, quota.seconds, unless))
        return taken

    def _quota(self, policy: Policy, tier: str) -> Quota:
        quotas = self._numbers[policy.name]
        return quotas.get(tier) or quotas[Tier.FREE]

    def _key(self, policy: str, name: str) -> str:
        """No address is in the cache server in clear."""
        mac = hashlib.blake2b(name.encode(), digest_size=16, key=self._secret, person=b"limits")
        return f"qnt9:limit:{policy}:{mac.hexdigest()}"

    def _locally(self, taken: Taken) -> list[Count]:
        """While the cache server cannot say: a quarter of what is closed, all of the others."""
        closed = any(policy.closed for policy in taken.policies)
        checks = [
            Check(c.key, max(MIN_LOCAL, c.most // LOCAL_SHARE) if closed else c.most, c.seconds)
            for c in taken.checks
        ]
        windows = self._closed if closed else self._open
        counts = windows.take(checks, time.monotonic())
        return counts or [Count(refused=closed, remaining=0, seconds=1.0)] * len(checks)

    def _headers(
        self, policies: Policies, taken: Taken, counts: list[Count]
    ) -> list[tuple[str, str]]:
        """Of what is told to clients, the one that is nearest to its end."""
        shown = [
            (-count.refused, count.remaining / check.most, i)
            for i, (count, check) in enumerate(zip(counts, taken.checks, strict=True))
            if taken.policies[i].shown and count.remaining >= 0
        ]
        headers = [("RateLimit-Policy", self._text(policies, taken.tier))]
        if shown:
            i = min(shown)[2]
            headers.append(_rate_limit(taken.policies[i], counts[i].remaining, counts[i].seconds))
        return headers

    def _text(self, policies: Policies, tier: str) -> str:
        text = self._texts.get((policies, tier))
        if text is None:
            quotas = [(policy.name, self._quota(policy, tier)) for policy in policies]
            text = ", ".join(f'"{name}";q={q.most};w={q.seconds}' for name, q in quotas)
            self._texts[policies, tier] = text
        return text

    def _remember(self, policy: Policy, key: str, seconds: float) -> None:
        """Not what a success may end, nor what does not hold for everybody alike."""
        if policy.until_success or policy.spares_known_by:
            return
        if len(self._refusals) >= REFUSALS_REMEMBERED:
            self._refusals.clear()
        self._refusals[key] = time.monotonic() + seconds

    def _refuse_again(self, taken: Taken, policies: Policies) -> None:
        now = time.monotonic()
        for policy, check in zip(taken.policies, taken.checks, strict=True):
            left = self._refusals.get(check.key, 0.0) - now
            if left > 0:
                headers = [("RateLimit-Policy", self._text(policies, taken.tier))]
                if policy.shown:
                    headers.append(_rate_limit(policy, 0, left))
                raise self._refusal(policy, left, headers)
            self._refusals.pop(check.key, None)

    @staticmethod
    def _refusal(policy: Policy, seconds: float, headers: list[tuple[str, str]]) -> ProblemError:
        REFUSED.labels(policy.name).inc()
        again = _whole(seconds)
        return ProblemError(
            "rate-limited",
            f"Ask again in {again} s.",
            headers={**dict(headers), "Retry-After": str(again)},
        )


def _rate_limit(policy: Policy, remaining: int, seconds: float) -> tuple[str, str]:
    return "RateLimit", f'"{policy.name}";r={remaining};t={_whole(seconds)}'


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def _known(key: str) -> str:
    return f"{key}:known"


@lru_cache(maxsize=20_000)
def site_of(address: str | None) -> str:
    """A client is an IPv4 address, or an IPv6 network of one site: it has 2**64 addresses."""
    if not address:
        return "unknown"
    parsed = ip_address(address)
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{int(parsed) >> _IPV6_SITE:x}::/{_IPV6_SITE}"
