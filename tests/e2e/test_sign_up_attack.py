"""Somebody signs up with the address of another person, who then presses every mailed link.

Whatever the order, the attacker's password never opens the account that the owner confirms.
"""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import httpx
import pytest

from tests.support.mailed_links import link_in
from tests.support.stack import Stack
from tests.support.waiting import eventually

VICTIM, SECOND_DEVICE = "Quiet-Harbour-61-lamp", "Slow-Meadow-27-violin"
ATTACKER = "Brass-Window-83-kite"
OWN = (VICTIM, SECOND_DEVICE)

Step = Literal["victim", "second device", "attacker", "resend", "expiry"]
ORDERS: dict[str, tuple[Step, ...]] = {
    "victim_first": ("victim", "attacker"),
    "attacker_first": ("attacker", "victim"),
    "victim_asks_again": ("victim", "attacker", "resend"),
    "attacker_asks_again": ("attacker", "victim", "resend"),
    "two_devices": ("victim", "attacker", "second device"),
    "after_expiry": ("victim", "expiry", "attacker", "victim"),
}
PASSWORDS = {"victim": VICTIM, "second device": SECOND_DEVICE, "attacker": ATTACKER}


@dataclass
class Address:
    """An address that several people sign up with; its owner alone reads its mails."""

    stack: Stack
    http: httpx.AsyncClient
    email: str = field(default_factory=lambda: f"{uuid4().hex[:12]}@example.com")
    secrets: list[str] = field(default_factory=list)
    """Of the owner's sign-ups, as their answers had them."""

    async def links(self) -> list[str]:
        """The tokens of all mailed links, newest first."""
        mails = await self.stack.mails(self.email)
        return [link[1] for mail in mails if (link := link_in(mail))]

    async def happens(self, step: Step) -> None:
        if step == "expiry":
            async with self.stack.postgres() as conn:
                await conn.execute(
                    """
                    UPDATE mailed_tokens SET expires_at = now() - interval '1 second'
                     WHERE user_id IN (SELECT id FROM users WHERE email = $1)
                    """,
                    self.email,
                )
            return
        await self.stack.mails_may_go()
        before = len(await self.links())
        if step == "resend":
            await self.post("verify/resend", 202, email=self.email)
        else:
            password = PASSWORDS[step]
            reported = await self.post("signup", 202, email=self.email, password=password)
            if password in OWN:
                self.secrets.append(reported["signup_secret"])

        async def mailed() -> bool:
            await self.stack.mails_may_go()
            return len(await self.links()) > before

        await eventually(mailed, seconds=120, what=f"a link after {step}")

    async def post(self, path: str, status: int, **body: str) -> Any:
        answer = await self.http.post(f"/api/v1/auth/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def sign_in(self, password: str) -> httpx.Response:
        body = {"email": self.email, "password": password}
        return await self.http.post("/api/v1/auth/signin", json=body)

    async def confirm(self, **proof: str) -> bool:
        """Press every link, newest first, with this proof. Returns whether one was taken."""
        answers = [
            await self.http.post("/api/v1/auth/verify", json={"token": token, **proof})
            for token in await self.links()
        ]
        assert {answer.status_code for answer in answers} <= {200, 400, 403, 410}
        return any(answer.status_code == 200 for answer in answers)


@pytest.mark.parametrize("by", ["password", "secret"])
@pytest.mark.parametrize("order", ORDERS)
async def test_owner_who_presses_every_link_never_gets_the_attackers_password(
    stack: Stack, order: str, by: str
) -> None:
    async with stack.http() as http:
        address = Address(stack, http)
        for step in ORDERS[order]:
            await address.happens(step)
        begun = await address.sign_in(ATTACKER)
        proofs = (
            [{"password": password} for password in OWN]
            if by == "password"
            else [{"signup_secret": secret} for secret in reversed(address.secrets)]
        )
        assert any([await address.confirm(**proof) for proof in proofs])
        assert [(await address.sign_in(p)).status_code == 200 for p in OWN].count(True) == 1
        assert (await address.sign_in(ATTACKER)).status_code == 401
        if begun.status_code == 200:
            headers = {"Authorization": f"Bearer {begun.json()['access_token']}"}

            async def ended() -> bool:
                answer = await http.get("/api/v1/users/me", headers=headers)
                return answer.status_code == 401

            await eventually(ended, seconds=30, what="the end of the attacker's session")


@pytest.mark.parametrize("order", ORDERS)
async def test_attacker_who_reads_the_links_of_the_victims_sign_up_confirms_nothing(
    stack: Stack, order: str
) -> None:
    """Without the victim's password or secret: of a forwarded mail, or a proxy's log."""
    async with stack.http() as http:
        address = Address(stack, http)
        for step in ORDERS[order]:
            if step != "attacker":
                await address.happens(step)
        assert not await address.confirm(password=ATTACKER)
        assert not await address.confirm(signup_secret="a" * 43)
        assert not await address.confirm()
        assert (await address.sign_in(ATTACKER)).status_code == 401
