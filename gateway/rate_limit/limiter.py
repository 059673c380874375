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
from gateway.rate_limit.window import UNCOUNTED, Check, Count, Windows
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
class PolicyCount:
    """One policy that concerns a request: what it counts the request under, and how that stands."""

    policy: Policy
    check: Check
    count: Count = UNCOUNTED

    def distance(self) -> tuple[bool, float]:
        """How far from a refusal, in an order: what is refused comes first."""
        return not self.count.refused, self.count.remaining / self.check.most


@dataclass(slots=True)
class Taken:
    """What one request is counted under, and the headers that report it."""

    counted: list[PolicyCount]
    headers: list[tuple[str, str]] = field(default_factory=list)
    locally: bool = False
    """Whether the cache server could not say, so that this process counted."""
    slowed: bool = False
    """Whether the request is to wait before it goes on."""
    of_everybody: list[PolicyCount] = field(default_factory=list)
    """What slows requests, and counts failures alone."""


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
            caller = Caller(client)
            self._refuse_again(self._concerned(policies, caller), policies, caller.tier)

    async def take(self, policies: Policies, caller: Caller) -> Taken:
        """Count a request. Raises `ProblemError` when one of its policies refuses it."""
        concerned = self._concerned(policies, caller)
        taken = Taken([each for each in concerned if not each.policy.slows])
        if not taken.counted:
            return taken
        if self._refusals:
            self._refuse_again(taken.counted, policies, caller.tier)
        await self._count(taken, [each for each in concerned if each.policy.slows])
        taken.headers = self._headers(policies, caller.tier, taken.counted)
        refused = [each for each in reversed(taken.counted) if each.count.refused]
        if refused:
            longest = max(refused, key=lambda each: each.count.seconds)
            self._remember(longest)
            raise self._refusal(longest.policy, longest.count.seconds, taken.headers)
        return taken

    async def _count(self, taken: Taken, slowing: list[PolicyCount]) -> None:
        """Fill in the counts. What slows is asked beside: it refuses nothing of the others."""
        asking = self._shared.take([each.check for each in taken.counted])
        if slowing:
            counts, slow = await asyncio.gather(
                asking, self._shared.take([each.check for each in slowing])
            )
            if slow and any(count.refused for count in slow):
                SLOWED.inc()
                taken.slowed = True
            elif slow:
                taken.of_everybody = slowing
        else:
            counts = await asking
        if counts is None:
            taken.locally = True
            counts = self._locally(taken.counted)
        for each, count in zip(taken.counted, counts, strict=True):
            each.count = count

    async def succeeded(self, taken: Taken) -> None:
        """What is counted until a success begins anew; its caller is known from now on."""
        for each in taken.counted:
            if each.policy.until_success:
                key = each.check.key
                self._closed.forget(key)
                await self._shared.forget(key, known=_known(key), seconds=KNOWN_SECONDS)
        await self._give_back(taken, lambda policy: policy.failures)

    async def not_tried(self, taken: Taken) -> None:
        """Through no fault of the caller's, so it is no failure of theirs."""
        await self._give_back(taken, lambda policy: policy.until_success or policy.failures)

    async def _give_back(self, taken: Taken, counts: Callable[[Policy], bool]) -> None:
        for each in taken.counted:
            if counts(each.policy):
                if taken.locally:
                    self._closed.give_back(each.check.key)
                else:
                    await self._shared.give_back(each.check.key)
        for each in taken.of_everybody:
            await self._shared.give_back(each.check.key)

    def _concerned(self, policies: Policies, caller: Caller) -> list[PolicyCount]:
        """The policies that concern this caller, with what they count the request under."""
        concerned = []
        for policy in policies:
            name = caller.name(policy.by)
            if name is None:
                continue
            quota = self._quota(policy, caller.tier)
            unless = None
            if policy.spares_known_by and (pair := caller.name(By.PAIR)):
                unless = _known(self._key(policy.spares_known_by, pair))
            check = Check(self._key(policy.name, name), quota.most, quota.seconds, unless)
            concerned.append(PolicyCount(policy, check))
        return concerned

    def _quota(self, policy: Policy, tier: str) -> Quota:
        quotas = self._numbers[policy.name]
        return quotas.get(tier) or quotas[Tier.FREE]

    def _key(self, policy: str, name: str) -> str:
        """No address is in the cache server in clear."""
        mac = hashlib.blake2b(name.encode(), digest_size=16, key=self._secret, person=b"limits")
        return f"qnt9:limit:{policy}:{mac.hexdigest()}"

    def _locally(self, counted: list[PolicyCount]) -> list[Count]:
        """While the cache server cannot say: a quarter of what is closed, all of the others."""
        closed = any(each.policy.closed for each in counted)
        checks = [
            Check(c.key, max(MIN_LOCAL, c.most // LOCAL_SHARE) if closed else c.most, c.seconds)
            for c in (each.check for each in counted)
        ]
        windows = self._closed if closed else self._open
        counts = windows.take(checks, time.monotonic())
        return counts or [Count(refused=closed, remaining=0, seconds=1.0)] * len(checks)

    def _headers(
        self, policies: Policies, tier: str, counted: list[PolicyCount]
    ) -> list[tuple[str, str]]:
        """Of the policies in response headers, the one that is nearest to its limit."""
        headers = [("RateLimit-Policy", self._text(policies, tier))]
        displayed = [
            each for each in counted if each.policy.displayed and each.count.remaining >= 0
        ]
        if displayed:
            nearest = min(
                displayed,
                key=lambda each: (not each.count.refused, each.count.remaining / each.check.most),
            )
            count = nearest.count
            headers.append(_rate_limit(nearest.policy, count.remaining, count.seconds))
        return headers

    def _text(self, policies: Policies, tier: str) -> str:
        text = self._texts.get((policies, tier))
        if text is None:
            quotas = [(policy.name, self._quota(policy, tier)) for policy in policies]
            text = ", ".join(f'"{name}";q={q.most};w={q.seconds}' for name, q in quotas)
            self._texts[policies, tier] = text
        return text

    def _remember(self, refused: PolicyCount) -> None:
        """Not what a success may end, nor what does not hold for everybody alike."""
        if refused.policy.until_success or refused.policy.spares_known_by:
            return
        if len(self._refusals) >= REFUSALS_REMEMBERED:
            self._refusals.clear()
        self._refusals[refused.check.key] = time.monotonic() + refused.count.seconds

    def _refuse_again(self, counted: list[PolicyCount], policies: Policies, tier: str) -> None:
        now = time.monotonic()
        for each in counted:
            left = self._refusals.get(each.check.key, 0.0) - now
            if left > 0:
                headers = [("RateLimit-Policy", self._text(policies, tier))]
                if each.policy.displayed:
                    headers.append(_rate_limit(each.policy, 0, left))
                raise self._refusal(each.policy, left, headers)
            self._refusals.pop(each.check.key, None)

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
