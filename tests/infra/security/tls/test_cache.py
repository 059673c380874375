"""The cache server by `rediss://`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from pydantic import ValidationError
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from infra.redis.best_effort_client import BestEffortClient
from infra.redis.client import open_redis
from infra.runtime.settings import RedisSettings
from tests.support.infra.tls.authority import Authority, Certificate
from tests.support.infra.tls.terminator import tls_before

SECONDS = 5.0


def behind(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


@pytest.fixture(scope="module")
async def port(valkey_url: str, certificate: Certificate) -> AsyncIterator[int]:
    async with tls_before(behind(valkey_url), certificate.server_context()) as listening:
        yield listening


@pytest.fixture(scope="module")
async def port_of_another_host(valkey_url: str, of_another_host: Certificate) -> AsyncIterator[int]:
    async with tls_before(behind(valkey_url), of_another_host.server_context()) as listening:
        yield listening


def settings(
    url: str, port: int, authority: Path | None, *, scheme: str = "rediss", host: str = "127.0.0.1"
) -> RedisSettings:
    parts = urlsplit(url)
    there = parts._replace(scheme=scheme, netloc=f":{parts.password}@{host}:{port}")
    return RedisSettings.model_validate(
        {"redis_url": urlunsplit(there), "redis_ca_file": authority}
    )


async def refusal(refused: RedisSettings) -> str:
    """What the log says of a question that found nobody; who asked goes on without an answer."""
    async with asyncio.timeout(SECONDS), open_redis(refused) as redis:
        with capture_logs() as logs:
            assert await BestEffortClient("tests", seconds=SECONDS).ask(redis.ping) is None
        with pytest.raises(RedisError):
            await redis.ping()
    (entry,) = logs
    assert entry["event"] == "cache_away"
    return str(entry["error"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_with_the_authority_it_answers(
    host: str, valkey_url: str, port: int, authority: Authority
) -> None:
    async with open_redis(settings(valkey_url, port, authority.file, host=host)) as redis:
        assert await BestEffortClient("tests", seconds=SECONDS).ask(redis.ping)
        assert await redis.set("over", "tls", ex=10)
        assert await redis.get("over") == b"tls"


async def test_what_is_announced_over_tls_is_heard_over_tls(
    valkey_url: str, port: int, authority: Authority
) -> None:
    async with (
        asyncio.timeout(SECONDS),
        open_redis(settings(valkey_url, port, authority.file)) as redis,
        redis.pubsub() as subscription,
    ):
        await subscription.subscribe("over-tls")
        await redis.publish("over-tls", "heard")
        message = None
        while not message or message["type"] != "message":
            message = await subscription.get_message(timeout=SECONDS)
        assert message["data"] == b"heard"


async def test_another_authority_is_refused(
    valkey_url: str, port: int, stranger: Authority
) -> None:
    said = await refusal(settings(valkey_url, port, stranger.file))
    assert said == "TLS: unable to get local issuer certificate"


async def test_an_authority_that_no_one_named_is_refused(valkey_url: str, port: int) -> None:
    assert (await refusal(settings(valkey_url, port, None))).startswith("TLS: ")


async def test_a_certificate_of_another_host_is_refused(
    valkey_url: str, port_of_another_host: int, authority: Authority
) -> None:
    said = await refusal(settings(valkey_url, port_of_another_host, authority.file))
    assert said.startswith("TLS: IP address mismatch")


async def test_in_clear_the_server_takes_no_one(valkey_url: str, port: int) -> None:
    said = await refusal(settings(valkey_url, port, None, scheme="redis"))
    assert said == "ConnectionError"


async def test_a_server_without_tls_gets_no_password(valkey_url: str, authority: Authority) -> None:
    """It waits for the end of a line that TLS does not have: we give up in time."""
    said = await refusal(settings(valkey_url, behind(valkey_url), authority.file))
    assert said in {"TimeoutError", "ConnectionError", "TLS: WRONG_VERSION_NUMBER"}


def test_an_authority_without_tls_is_a_fault_of_settings(
    valkey_url: str, authority: Authority
) -> None:
    with pytest.raises(ValidationError, match="needs rediss://"):
        settings(valkey_url, 6379, authority.file, scheme="redis")
