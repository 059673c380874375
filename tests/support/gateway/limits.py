"""Limits of users and clients, and what they answer."""

import os
from uuid import uuid4

from gateway.problems import ProblemError
from gateway.rate_limit.limiter import Caller, Limits, Policies

SECRET = os.urandom(32)


def a_user(tier: str = "free", **changes: str) -> Caller:
    values = {"client": f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1", "account": uuid4().hex}
    return Caller(**({"session": uuid4().hex} | values | changes), tier=tier)


async def allowed(limits: Limits, policies: Policies, caller: Caller, tries: int) -> int:
    """How many of so many requests are let through."""
    refused = []
    for _ in range(tries):
        try:
            await limits.take(policies, caller)
        except ProblemError as error:
            refused.append(error)
    assert all(error.code == "rate-limited" for error in refused)
    assert all(int(error.headers["Retry-After"]) >= 1 for error in refused)
    return tries - len(refused)
