"""Tickets in a real cache server."""

import asyncio
import os

import pytest
from redis.asyncio import Redis

from gateway.problems import ProblemError
from gateway.stream.tickets import Tickets
from tests.support.gateway.stream_builders import a_principal

KEY = os.urandom(32)


async def test_a_ticket_is_its_holder_once_at_whichever_gateway(redis: Redis) -> None:
    holder = a_principal()
    ticket = await Tickets(redis, KEY).issue(holder)
    tries = [Tickets(redis, KEY).redeem(ticket) for _ in range(5)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert found.count(holder) == 1
    assert sum(isinstance(each, ProblemError) for each in found) == 4


async def test_the_cache_server_knows_no_ticket_and_for_30_seconds_only(redis: Redis) -> None:
    ticket = await Tickets(redis, KEY).issue(a_principal())
    (name,) = await redis.keys()
    assert ticket not in f"{name!r} {await redis.get(name)!r}"
    assert 25 < await redis.ttl(name) <= 30


async def test_who_writes_in_the_cache_server_becomes_no_one(redis: Redis) -> None:
    tickets, victim = Tickets(redis, KEY), a_principal()
    mine, theirs = await tickets.issue(a_principal()), await tickets.issue(victim)
    names = await redis.keys()
    values = [await redis.get(name) for name in names]
    for name, value in zip(names, reversed(values), strict=True):
        await redis.set(name, value or b"")
    for ticket in (mine, theirs, "", "x" * 5_000, "é"):
        with pytest.raises(ProblemError, match="unauthenticated"):
            await tickets.redeem(ticket)


async def test_without_the_cache_server_there_are_no_tickets(redis_away: Redis) -> None:
    tickets = Tickets(redis_away, KEY)
    with pytest.raises(ProblemError, match="try-again"):
        await tickets.issue(a_principal())
    with pytest.raises(ProblemError, match="try-again"):
        await tickets.redeem("a ticket")
