"""Fixtures of these tests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from bench.plain.settings import VARIABLE, PlainSettings
from bench.services import SCHEMA
from bench.users import Users, fill_cache, lists_as_at_the_start, settle_in
from devstack.supervisor.credentials import generate_keys
from tests.support.bench import APPS, Plain
from tests.support.mail_server import running_mail_server
from tests.support.postgres import Server


@pytest.fixture(scope="session")
def plain_keys() -> dict[str, str]:
    return generate_keys()


@pytest.fixture(params=APPS)
async def plain(  # noqa: PLR0917 - pytest passes them by name
    request: pytest.FixtureRequest,
    postgres_server: Server,
    redis: Redis,
    valkey_url: str,
    plain_keys: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Plain]:
    """Each of the plain services in turn."""
    app = APPS[request.param]
    async with AsyncExitStack() as opened:
        await postgres_server.make_roles()
        name = await opened.enter_async_context(postgres_server.database())
        dsn = postgres_server.dsn("qnt9_owner", name)
        mails = await opened.enter_async_context(running_mail_server())
        settings = PlainSettings(
            dsn=dsn,
            redis_url=valkey_url,
            public_key_text=plain_keys["QNT9_TOKEN_PUBLIC_KEY"],
            private_key_text=plain_keys["QNT9_TOKEN_PRIVATE_KEY"],
            refresh_key_text=plain_keys["QNT9_REFRESH_KEY"],
            smtp_host="127.0.0.1",
            smtp_port=mails.port,
            pool=2,
            kafka_bootstrap="127.0.0.1:1",
        )
        monkeypatch.setenv(VARIABLE, settings.to_environment()[VARIABLE])
        database = await asyncpg.connect(dsn)
        opened.push_async_callback(database.close)
        await database.execute(SCHEMA.read_text("utf-8"))
        users = Users(settings.private_key)
        await settle_in(database, users, None)
        await lists_as_at_the_start(database, users)
        await fill_cache(redis)
        await opened.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, client=("203.0.113.7", 1))
        http = httpx.AsyncClient(transport=transport, base_url="http://plain/api/v1")
        yield Plain(await opened.enter_async_context(http), database, users, mails, redis, dsn)
