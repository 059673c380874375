"""Fixtures of tests about rate limits."""

import pytest
from redis.asyncio import Redis

from gateway.rate_limit.limiter import Limits
from gateway.rate_limit.policies import STRICT
from gateway.rate_limit.shared_windows import SharedWindows
from tests.support.gateway.limits import SECRET


@pytest.fixture
def limits(redis: Redis) -> Limits:
    """The strict limits of a process that reaches the cache server."""
    return Limits(SharedWindows(redis), STRICT, SECRET)


@pytest.fixture
def alone(redis_away: Redis) -> Limits:
    """The strict limits of a process whose cache server is away."""
    return Limits(SharedWindows(redis_away), STRICT, SECRET)
