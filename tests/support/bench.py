"""The plain services on a real database, cache and mail server."""

from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
from redis.asyncio import Redis

from bench.plain import equal, lean, usual
from bench.users import Users
from tests.support.mail_server import MailServer

APPS: dict[str, Any] = {"usual": usual.app, "lean": lean.app, "equal": equal.app}


@dataclass
class Plain:
    """One plain service with everybody in it, and what a test looks at."""

    http: httpx.AsyncClient
    database: "asyncpg.Connection[asyncpg.Record]"
    users: Users
    mails: MailServer
    redis: Redis
    dsn: str

    def as_person(self, number: int = 0) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.users.tokens()[number]}"}

    async def logged(self) -> list[dict[str, Any]]:
        rows = await self.database.fetch(
            "SELECT user_id, action, details, host(ip_address) AS ip, user_agent FROM audit_log"
        )
        return [dict(row) for row in rows]
