"""Which requests are refused, the headers that say so, and what holds without the cache server."""

import os
import re
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from contracts.values import Tier
from gateway.problems import ProblemError
from gateway.rate_limit.limiter import Caller, Limits, Policies, site_of
from gateway.rate_limit.policies import (
    FAULTY,
    PASSWORD,
    POLICIES,
    READ,
    RELAXED,
    SIGN_IN,
    SIGN_UP,
    STRICT,
    ByTier,
    Quota,
)
from gateway.rate_limit.shared_windows import SharedWindows
from gateway.routes import ENDPOINTS
from tests.support.gateway.cache_servers import calls
from tests.support.gateway.limits import a_user, allowed
from tests.support.stack import ROOT


async def refusal(limits: Limits, policies: Policies, caller: Caller) -> ProblemError:
    with pytest.raises(ProblemError) as refused:
        await limits.take(policies, caller)
    return refused.value


def test_every_route_of_the_api_has_its_limits() -> None:
    for endpoint in ENDPOINTS:
        assert bool(endpoint.limits) == endpoint.path.startswith("/api/"), endpoint.path
        for policy in endpoint.limits:
            assert POLICIES[policy.name] is policy


@pytest.mark.parametrize("numbers", [STRICT, RELAXED], ids=["strict", "relaxed"])
def test_every_policy_has_a_number_for_every_tier(numbers: dict[str, ByTier]) -> None:
    assert numbers.keys() == POLICIES.keys()
    assert all(quotas.keys() == set(Tier) for quotas in numbers.values())


@pytest.mark.parametrize("name", POLICIES)
def test_the_page_on_limits_has_the_numbers(name: str) -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` ")]
    _, _, by, strict, relaxed, alone, _ = map(str.strip, row.split("|"))
    assert by == POLICIES[name].by.value
    assert alone == ("a quarter, at least 2" if POLICIES[name].closed else "all of it")
    for cell, quotas in ((strict, STRICT[name]), (relaxed, RELAXED[name])):
        most = list(dict.fromkeys(f"{quota.most:,}" for quota in quotas.values()))
        seconds = {60: "min", 300: "5 min", 3_600: "h", 86_400: "day"}[quotas[Tier.FREE].seconds]
        assert cell == f"{' · '.join(most)} / {seconds}"


async def test_answers_report_the_policies_and_what_is_nearest_to_its_end(limits: Limits) -> None:
    caller = a_user()
    await limits.take(READ, caller)
    headers = dict((await limits.take(READ, caller)).headers)
    assert headers["RateLimit-Policy"] == (
        '"client";q=3000;w=60, "read";q=240;w=60, "read-token";q=120;w=60'
    )
    assert re.fullmatch(r'"read-token";r=118;t=(59|60)', headers["RateLimit"])


async def test_a_refusal_says_which_policy_and_when_to_come_back(limits: Limits) -> None:
    caller = a_user()
    assert await allowed(limits, READ, caller, 125) == 120
    error = await refusal(limits, READ, caller)
    assert error.problem.status == 429
    assert 1 <= int(error.headers["Retry-After"]) <= 60
    assert error.headers["RateLimit"].startswith('"read-token";r=0;t=')
    assert "read" in error.headers["RateLimit-Policy"]


async def test_a_session_does_not_use_up_its_user_nor_a_user_its_client(limits: Limits) -> None:
    caller = a_user()
    again = Caller(caller.client, caller.account, uuid4().hex)
    assert await allowed(limits, READ, caller, 130) == 120
    assert await allowed(limits, READ, again, 130) == 120
    third = Caller(caller.client, caller.account, uuid4().hex)
    assert await allowed(limits, READ, third, 3) == 0, "240 of the user"
    assert await allowed(limits, READ, a_user(client=caller.client or ""), 3) == 3


@pytest.mark.parametrize(("tier", "most"), [("free", 120), ("plus", 300), ("pro", 1_200)])
async def test_who_pays_more_may_more(limits: Limits, tier: str, most: int) -> None:
    headers = dict((await limits.take(READ, a_user(tier))).headers)
    assert headers["RateLimit-Policy"].endswith(f'"read-token";q={most};w=60')


async def test_who_was_refused_is_refused_again_without_a_trip(
    limits: Limits, redis: Redis
) -> None:
    caller = Caller("203.0.113.7", uuid4().hex)
    assert await allowed(limits, SIGN_UP, caller, 11) == 10
    before = await calls(redis, "evalsha")
    assert await allowed(limits, SIGN_UP, caller, 50) == 0
    assert await calls(redis, "evalsha") == before


async def test_a_client_is_refused_before_any_work(limits: Limits) -> None:
    client = f"198.51.100.{os.urandom(1)[0]}"
    for _ in range(11):
        await allowed(limits, SIGN_UP, Caller(client, uuid4().hex), 1)
    with pytest.raises(ProblemError) as refused:
        limits.refuse_early((*SIGN_UP, *FAULTY), client)
    assert refused.value.headers["RateLimit"].startswith('"signup-client";r=0;')
    limits.refuse_early(SIGN_IN, client)


async def test_what_an_account_has_left_is_not_reported_to_strangers(limits: Limits) -> None:
    caller = a_user()
    for _ in range(5):
        headers = dict((await limits.take(SIGN_IN, caller)).headers)
        assert headers["RateLimit"].startswith('"signin-client";')
    error = await refusal(limits, SIGN_IN, caller)
    assert error.headers["RateLimit"].startswith('"signin-client";r=25;')
    assert int(error.headers["Retry-After"]) > 60


def a_site(number: int) -> str:
    """An address of one IPv6 network of 48 bits, each in a /64 of its own."""
    return f"2001:db8:77:{number:x}::1"


async def test_networks_of_one_site_are_counted_together(limits: Limits) -> None:
    tries = [await allowed(limits, SIGN_UP, Caller(a_site(n), uuid4().hex), 1) for n in range(70)]
    assert sum(tries) == 60
    assert await allowed(limits, SIGN_UP, Caller("2001:db8:78::1", uuid4().hex), 1) == 1


async def test_addresses_of_one_ipv4_network_are_counted_together(limits: Limits) -> None:
    tries = [
        await allowed(limits, SIGN_IN, Caller(f"198.18.7.{n}", uuid4().hex), 2) for n in range(200)
    ]
    assert sum(tries) == 300
    assert await allowed(limits, SIGN_IN, Caller("198.18.8.1", uuid4().hex), 1) == 1


async def test_account_allows_a_hundred_failures_a_day_from_clients_it_does_not_know(
    limits: Limits,
) -> None:
    account, home = uuid4().hex, f"203.0.113.{os.urandom(1)[0]}"
    await limits.succeeded(await limits.take(SIGN_IN, Caller(home, account)))
    day = (POLICIES["signin-account-day"], POLICIES["signin-failures"])
    guesses = [await allowed(limits, day, Caller(f"10.{n}.0.1", account), 1) for n in range(120)]
    assert sum(guesses) == 100
    assert await allowed(limits, day, Caller(home, account), 1) == 1


async def test_success_does_not_count_as_a_failure_of_the_day(limits: Limits) -> None:
    account = uuid4().hex
    day = (POLICIES["signin-account-day"],)
    for n in range(120):
        await limits.succeeded(await limits.take(day, Caller(f"10.{n}.1.1", account)))
    assert await allowed(limits, day, Caller("10.0.2.1", account), 1) == 1


async def test_spraying_slows_strangers_and_refuses_no_one(redis: Redis) -> None:
    everybody = POLICIES["signin-everybody"]
    policies = (POLICIES["signin-failures"], everybody)
    quotas: dict[str, ByTier] = {**STRICT, everybody.name: dict.fromkeys(Tier, Quota(20, 60))}
    limits = Limits(SharedWindows(redis), quotas, os.urandom(32))
    account, home = uuid4().hex, "203.0.113.5"
    await limits.succeeded(await limits.take(policies, Caller(home, account)))
    slowed = [
        (await limits.take(policies, Caller(f"10.{n}.0.1", uuid4().hex))).slowed for n in range(30)
    ]
    assert slowed == [False] * 20 + [True] * 10
    assert not (await limits.take(policies, Caller(home, account))).slowed


async def test_guessing_ends_after_five_failures_and_success_begins_anew(limits: Limits) -> None:
    caller = a_user()
    assert await allowed(limits, SIGN_IN, caller, 4) == 4
    await limits.succeeded(await limits.take(SIGN_IN, caller))
    assert await allowed(limits, SIGN_IN, caller, 8) == 5


async def test_what_was_not_tried_is_no_failure(limits: Limits) -> None:
    caller = a_user()
    for _ in range(10):
        await limits.not_tried(await limits.take(SIGN_IN, caller))
    assert await allowed(limits, SIGN_IN, caller, 6) == 5


async def test_anyone_who_guesses_locks_no_one_out_who_signed_in_before(limits: Limits) -> None:
    owner = a_user()
    await limits.succeeded(await limits.take(SIGN_IN, owner))
    account = owner.account or ""
    guesses = [await allowed(limits, SIGN_IN, a_user(account=account), 5) for _ in range(5)]
    assert sum(guesses) == 19, "20 an account and minute, with the owner's own"
    assert await allowed(limits, SIGN_IN, owner, 5) == 5


async def test_a_stolen_token_guesses_no_more_from_many_addresses_and_leaves_the_owner_alone(
    limits: Limits,
) -> None:
    account, stolen = uuid4().hex, uuid4().hex
    thieves = [a_user(account=account, session=stolen) for _ in range(8)]
    assert sum([await allowed(limits, PASSWORD, thief, 1) for thief in thieves]) == 5
    assert await allowed(limits, PASSWORD, a_user(account=account), 5) == 5


async def test_no_address_is_in_the_cache_server(limits: Limits, redis: Redis) -> None:
    await limits.take(SIGN_IN, Caller("203.0.113.77", "an-account"))
    keys = str(await redis.keys())
    assert "signin-client" in keys
    assert "203.0.113" not in keys
    assert "an-account" not in keys


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        (None, "unknown"),
    ],
)
def test_a_client_is_its_address(address: str | None, site: str) -> None:
    assert site_of(address) == site


def test_a_site_cannot_pose_as_many_clients() -> None:
    assert site_of("2001:db8:0:1::1") == site_of("2001:db8:0:1:ffff::9")
    assert site_of("2001:db8:0:1::1") != site_of("2001:db8:0:2::1")
