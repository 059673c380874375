"""The mail server away while people sign up: all are accepted, each is mailed once it is back."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.e2e.outages import dead_letters
from tests.support.evidence import Evidence
from tests.support.mailed_links import token_in
from tests.support.sizes import size
from tests.support.stack import PASSWORD, Stack
from tests.support.waiting import eventually

SECONDS_AWAY = size(4.0, 600.0)
SIGN_UPS = size(24, 600)
ARRIVE_SECONDS = 120.0

Mails = dict[str, list[dict[str, Any]]]


@dataclass
class Outage:
    """Sign-ups all through it, and what their addresses got."""

    stack: Stack
    addresses: list[str] = field(
        default_factory=lambda: [f"{uuid4().hex[:12]}@example.com" for _ in range(SIGN_UPS)]
    )
    slowest: float = 0.0

    async def sign_ups(self) -> None:
        """Evenly over the time that the server is away."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks, self.stack.http() as http:
            for number, email in enumerate(self.addresses):
                due = began + SECONDS_AWAY * number / SIGN_UPS
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.create_task(self._sign_up(http, email))
            await asyncio.sleep(max(0.0, began + SECONDS_AWAY - time.monotonic()))

    async def _sign_up(self, http: httpx.AsyncClient, email: str) -> None:
        body = {"email": email, "password": PASSWORD}
        answer = await http.post("/api/v1/auth/signup", json=body)
        assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
        self.slowest = max(self.slowest, answer.elapsed.total_seconds())

    async def attempted(self) -> bool:
        """Somebody has tried to send one of these mails."""
        return bool(await self._count("attempts > 0"))

    async def mails(self) -> Mails:
        """What the inbox has for each of the addresses."""
        found: Mails = defaultdict(list)
        async with httpx.AsyncClient(base_url=self.stack.urls["inbox"]["url"], timeout=60) as inbox:
            try:
                messages = (await inbox.get("/api/v1/messages")).json()["messages"]
            except httpx.TransportError:
                return found
        ours = set(self.addresses)
        for message in messages:
            if message["to"] in ours:
                found[message["to"]].append(message)
        return found

    async def all_arrived(self) -> bool:
        return len(await self.mails()) == SIGN_UPS

    async def all_recorded(self) -> bool:
        """Nothing is left to be sent, not even once more."""
        return await self._count("status = 'sent'") == SIGN_UPS

    async def _count(self, condition: str) -> int:
        async with self.stack.postgres() as conn:
            query = f"""
                SELECT count(*) FROM mails JOIN users ON users.id = mails.user_id
                 WHERE users.email = ANY($1) AND {condition}
                """
            count: int = await conn.fetchval(query, self.addresses)
        return count


@pytest.mark.prove
@pytest.mark.timeout(size(300, 1_500))
@pytest.mark.parametrize("sender", ["lives", "is killed"])
async def test_mail_outage(stack: Stack, evidence: Evidence, sender: str) -> None:
    dead = await dead_letters(stack)
    outage = Outage(stack)
    await stack.stop("inbox")
    try:
        await outage.sign_ups()
        await eventually(outage.attempted, seconds=60, what="an attempt to send")
        assert not await outage.mails()
    finally:
        await stack.start("inbox")
    back = time.monotonic()
    if sender == "is killed":
        await eventually(outage.mails, seconds=ARRIVE_SECONDS, what="the first mail")
        await asyncio.to_thread(stack.kill, "verification")
    await eventually(
        outage.all_arrived, seconds=back + ARRIVE_SECONDS - time.monotonic(), what="every mail"
    )
    took = time.monotonic() - back
    await eventually(outage.all_recorded, seconds=60, what="every mail on record")
    mails = await outage.mails()
    twice = {email for email, of_one in mails.items() if len(of_one) > 1}
    assert sender == "is killed" or not twice
    for of_one in mails.values():
        assert len(of_one) <= 1 + (sender == "is killed")
        assert len({(mail["message_id"], token_in(mail)) for mail in of_one}) == 1
    assert await dead_letters(stack) == dead
    evidence.record(
        f"Mail server away, its sender {sender}",
        "People sign up while the mail server is away; all are answered 202. Then each address has "
        "its mail, one only, but for those that a killed sender had in hand: the same mail again.",
        {
            "seconds away": SECONDS_AWAY,
            "sign-ups, all answered 202": SIGN_UPS,
            "slowest answer (s)": f"{outage.slowest:.2f}",
            "last mail arrived after its return (s)": f"{took:.1f}",
            "addresses mailed": len(mails),
            "the same mail twice": len(twice),
        },
    )
