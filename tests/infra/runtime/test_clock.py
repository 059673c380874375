"""Hosts whose clocks differ agree on the time, by the database's."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from infra.postgres.reads import probe_of
from infra.runtime.clock import Clock
from infra.security.access_tokens import LIFETIME, TokenChecker, TokenError, TokenSigner
from tests.support.postgres import Database
from tests.support.stack import ROOT

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
SKEWS = st.timedeltas(timedelta(hours=-2), timedelta(hours=2))
ROUND_TRIPS = st.timedeltas(timedelta(), timedelta(seconds=1))
_OWN_CLOCK = re.compile(r"datetime\.now\(|\btime\.time\(|utcnow\(")
OF_ONE_HOST = {
    "infra/runtime/clock.py",
    "infra/messaging/dead_letters.py",  # when it failed, for people
    "infra/messaging/batch_items.py",  # when it failed first, for people
    "infra/mail/sendgrid.py",  # a date of somebody else's clock
    "workers/quotes/doctor.py",  # an operator's terminal
}


def clock_of_a_host(skew: timedelta, round_trip: timedelta = timedelta()) -> Clock:
    """Its own clock is off by `skew`, and it has measured that."""
    clock = Clock(lambda: NOON + skew)
    asked = NOON + skew
    clock.measured(NOON + round_trip / 2, asked=asked, answered=asked + round_trip)
    return clock


@given(SKEWS, ROUND_TRIPS)
def test_hosts_agree_on_the_time_whatever_their_clocks_say(
    skew: timedelta, round_trip: timedelta
) -> None:
    clock = clock_of_a_host(skew, round_trip)
    assert abs(clock.now() - NOON) <= timedelta(seconds=0.5) + round_trip
    assert (clock.problem is not None) == (abs(clock.skew) > timedelta(seconds=60))


def test_problem_says_how_far_and_to_which_side() -> None:
    assert clock_of_a_host(timedelta(seconds=60)).problem is None
    behind = clock_of_a_host(timedelta(seconds=-75))
    assert behind.problem == "this host's clock is 75 s behind the database's"
    ahead = clock_of_a_host(timedelta(seconds=75))
    assert ahead.problem == "this host's clock is 75 s ahead of the database's"


def test_measurement_that_took_too_long_or_backwards_is_not_believed() -> None:
    clock = Clock(lambda: NOON)
    for round_trip in (timedelta(seconds=3), timedelta(seconds=-1)):
        clock.measured(NOON + timedelta(hours=1), asked=NOON, answered=NOON + round_trip)
    assert clock.now() == NOON


async def test_probe_of_the_database_measures_the_clock(database: Database) -> None:
    behind = Clock(lambda: datetime.now(UTC) - timedelta(seconds=20))
    await probe_of(await database.pool("qnt9_gateway"), behind)()
    assert abs(behind.skew + timedelta(seconds=20)) < timedelta(seconds=2)
    assert abs(behind.now() - datetime.now(UTC)) < timedelta(seconds=2)


@pytest.mark.parametrize("skew", [-60, -20, -9, 0, 9, 60])
def test_token_is_good_at_a_host_with_another_clock(skew: int) -> None:
    private = Ed25519PrivateKey.generate()
    token = TokenSigner(private.private_bytes_raw()).sign(
        user_id=uuid4(),
        session_id=uuid4(),
        tier="free",
        verified=True,
        permissions=(),
        version=1,
        now=NOON,
    )
    public = private.public_key().public_bytes_raw()
    TokenChecker(public, clock_of_a_host(timedelta(seconds=skew))).check(token)
    late = Clock(lambda: NOON + LIFETIME + timedelta(seconds=6))
    early = Clock(lambda: NOON - timedelta(seconds=6))
    for clock in (late, early):
        with pytest.raises(TokenError):
            TokenChecker(public, clock).check(token)


def test_times_that_other_hosts_judge_are_read_from_the_common_clock() -> None:
    found = [
        str(path.relative_to(ROOT))
        for folder in ("contracts", "devstack", "gateway", "infra", "operations", "web", "workers")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if _OWN_CLOCK.search(path.read_text("utf-8")) and not _of_one_host(path)
    ]
    assert found == []


def _of_one_host(path: Path) -> bool:
    name = str(path.relative_to(ROOT))
    own = (
        "operations/cli/",
        "operations/release/",
        "devstack/supervisor/",
        "devstack/exchange/",
        "devstack/inbox/",
    )
    return name in OF_ONE_HOST or name.startswith(own)
