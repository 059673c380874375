"""`qnt9 user` without the cache server: it acts, and says who hears of it later."""

import asyncio
import json
import socket

import pytest

from contracts.ids import uuid7
from infra.runtime.settings import _key
from infra.security.address_hmac import address_hash
from tests.support.operations.forked_cli import Run, ended
from tests.support.postgres import Database

A_KEY = "qHrZtFdG4i2u1n3kP0xWvYb7sLcM9eRjTaUoE5QwXyA"
EMAIL = "ada@example.com"


@pytest.mark.parametrize("silent", [False, True], ids=["away", "hung"])
async def test_an_admin_is_made_without_the_cache_server_and_it_is_said(
    database: Database, *, silent: bool
) -> None:
    user_id = uuid7()
    await database.execute(
        """
        INSERT INTO users (id, email, address_hash, email_confirmed_at) VALUES ($1, $2, $3, now())
        """,
        user_id,
        EMAIL,
        address_hash(_key(A_KEY), EMAIL),
    )
    await database.execute(
        "INSERT INTO personal_keys (id, secret) VALUES ($1, $2)", f"user:{user_id}", b"k" * 32
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen(10)
        port = listener.getsockname()[1]
        env = {
            "QNT9_POSTGRES_DSN": database.dsn(),
            "QNT9_ADDRESS_KEY": A_KEY,
            "QNT9_REDIS_URL": f"redis://:a-password@127.0.0.1:{port}/0",
        }
        run = Run(("user", "create-admin", EMAIL, "--json"), env)
        [done] = await asyncio.to_thread(ended, [run])
    assert done.code == 0, done
    assert json.loads(done.out) == {"id": str(user_id), "did": "promoted"}
    assert "Valkey does not answer: gateways hear of it within ten seconds" in done.err
