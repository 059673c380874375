"""What must be read by nobody else is written nowhere; what is planted is found everywhere."""

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.support.e2e.planted_values import (
    CONSUMERS,
    not_among,
    plant,
    plant_in_cache,
    planted_places,
)
from tests.support.e2e.text_search import Piece, everything, places_of
from tests.support.stack import Stack, User
from tests.support.waiting import eventually


def _unique(text: str) -> str:
    return f"{text}-{uuid4().hex}"


@dataclass(frozen=True)
class Journey:
    """Everything about one person that was typed, mailed or handed out."""

    email: str
    display_name: str
    agent: str
    passwords: tuple[str, ...]
    mailed: tuple[str, ...]
    user: User

    @property
    def secrets(self) -> dict[str, str]:
        """Of tokens the part that cannot be guessed, which stands alone in some encodings."""
        user = self.user
        return {
            **{f"password {n}": password for n, password in enumerate(self.passwords)},
            **{f"mailed token {n}": token for n, token in enumerate(self.mailed)},
            "refresh token": user.refresh_token.partition(".")[2],
            "signature of the access token": user.access_token.rpartition(".")[2],
        }

    @property
    def private(self) -> dict[str, str]:
        return {"address": self.email, "name": self.display_name, "agent": self.agent}


async def travel(stack: Stack) -> Journey:
    """The journey with every wrong turn that handles a secret."""
    email = f"canary.{uuid4().hex}@example.com"
    right, wrong, weak, again, reset, changed = (
        f'Aa1!" {_unique(n)}' for n in ("right", "wrong", "weak", "again", "reset", "changed")
    )
    weak = weak.lower()
    name, agent = _unique("Ada"), _unique("agent")
    mailed: list[str] = []
    async with stack.http(headers={"User-Agent": agent}) as http:

        async def post(path: str, body: Any, status: int) -> Any:
            answer = await http.post(f"/api/v1/auth/{path}", json=body)
            assert answer.status_code == status, answer.text
            return answer.json() if answer.content else None

        async def newer_mail() -> str:
            token = await stack.mailed_token(email)
            return "" if token in mailed else token

        account = {"email": email, "password": right, "display_name": name}
        await post("signup", account | {"password": weak}, 422)
        signed_up = await post("signup", account, 202)
        mailed.append(await stack.mailed_token(email))
        await stack.mails_may_go()
        await post("verify/resend", {"email": email}, 202)
        mailed.append(await eventually(newer_mail, seconds=90, what="another mail"))
        assert (await http.get("/verify", params={"token": mailed[1]})).status_code == 200
        await post("verify", {"token": mailed[0]}, 400)
        await post("verify", {"token": mailed[1] + "/"}, 422)
        await post("verify", {"token": mailed[1]}, 403)
        await post("verify", {"token": mailed[1], "password": wrong}, 403)
        await post("verify", {"token": mailed[1], "signup_secret": signed_up["signup_secret"]}, 200)
        await post("signup", account | {"password": again}, 202)
        broken = json.dumps({"email": email, "password": right})[:-1]
        headers = {"Content-Type": "application/json"}
        answer = await http.post("/api/v1/auth/signin", content=broken, headers=headers)
        assert answer.status_code == 400
        await post("signin", {"email": email, "password": wrong}, 401)
        tokens = await post("signin", {"email": email, "password": right}, 200)
        user = User(email, right, tokens["access_token"], tokens["refresh_token"])
        assert (await http.get("/api/v1/users/me", headers=user.headers)).status_code == 200
        for symbol in ("AAPL", "NOSUCH"):
            await http.put(f"/api/v1/watchlist/{symbol}", json={}, headers=user.headers)
        await stack.mails_may_go()
        await post("password/forgot", {"email": email}, 202)
        mailed.append(await eventually(newer_mail, seconds=90, what="a mail to reset"))
        assert (await http.get("/reset", params={"token": mailed[2]})).status_code == 200
        await post("password/reset", {"token": mailed[2], "new_password": weak}, 422)
        await post("password/reset", {"token": mailed[2], "new_password": reset}, 200)
        await post("password/reset", {"token": mailed[2], "new_password": again}, 400)
        tokens = await post("signin", {"email": email, "password": reset}, 200)
        user = User(email, reset, tokens["access_token"], tokens["refresh_token"])
        http.headers.update(user.headers)
        change = {"current_password": wrong, "new_password": changed}
        await post("password/change", change, 403)
        await post("password/change", change | {"current_password": reset}, 204)
        await post("email/change", {"new_email": f"x{email}", "password": changed}, 202)
        answer = await http.post("/api/v1/users/me/erase", json={"password": wrong})
        assert answer.status_code == 403
    passwords = (right, wrong, weak, again, reset, changed)
    return Journey(email, name, agent, passwords, tuple(mailed), user)


@pytest.fixture(scope="module")
def control() -> str:
    """As a request's id it is logged as it is."""
    return uuid4().hex


@pytest.fixture(scope="module")
async def journey(stack: Stack) -> Journey:
    return await travel(stack)


@pytest.fixture(scope="module")
async def pieces(stack: Stack, journey: Journey, control: str) -> list[Piece]:
    """All that was written after the journey, when everything has come to rest."""
    await plant(stack, control)
    await plant_in_cache(stack, control)

    async def until_quiescent() -> bool:
        await stack.mails_may_go()
        async with stack.postgres() as conn:
            recorded = await conn.fetchval(
                "SELECT EXISTS (SELECT FROM audit_log WHERE correlation_id = $1)", control
            )
            waiting = await conn.fetchval(
                """
                SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)
                    OR EXISTS (SELECT FROM mails WHERE status IN ('queued', 'sending'))
                """
            )
        logs = {r: (stack.data / "logs" / f"{r}.log").read_text("utf-8") for r in CONSUMERS}
        return recorded and not waiting and all(control in log for log in logs.values())

    await eventually(until_quiescent, seconds=180, what="rest")
    return await everything(stack)


def test_the_search_finds_a_planted_text_in_each_place(pieces: list[Piece], control: str) -> None:
    found = places_of(control, pieces)
    missed = not_among(found, planted_places(control))
    assert not missed
    for part in ("key", "value", "header"):
        assert any(each.startswith("topic") and each.endswith(part) for each in found)


def test_the_metrics_of_every_process_are_searched(pieces: list[Piece]) -> None:
    searched = {p.place: p.content for p in pieces if p.place.startswith("metrics ")}
    assert searched.keys() >= {f"metrics {each}" for each in (*CONSUMERS, "gateway", "relay")}
    assert all(b"# HELP" in content for content in searched.values())
    assert b'method="PROPFIND"' in searched["metrics gateway"]


def test_the_search_finds_every_disguise(control: str) -> None:
    for n in range(3):
        text = f"{'x' * n}{control} and more"
        for disguised in (
            text,
            base64.b64encode(text.encode()).decode(),
            base64.urlsafe_b64encode(text.encode()).decode(),
            text.encode().hex(),
            text.encode().hex().upper(),
            "".join(f"%{byte:02X}" for byte in text.encode()),
            json.dumps({"body": text}),
            quote(text),
        ):
            assert places_of(control, [Piece("here", disguised.encode())]) == ["here"], disguised
    awkward = 'Aa1!" über/&?'
    encoded = quote(awkward, safe="")
    for disguised in (json.dumps(awkward), encoded, encoded.replace("%C3%BC", "%c3%bc")):
        assert places_of(awkward, [Piece("here", disguised.encode())]) == ["here"], disguised


def test_no_secret_of_the_journey_is_anywhere(pieces: list[Piece], journey: Journey) -> None:
    found = {name: places_of(secret, pieces) for name, secret in journey.secrets.items()}
    assert found == {name: [] for name in journey.secrets}


def test_no_ones_address_name_or_agent_is_on_a_topic_or_in_a_log(
    pieces: list[Piece], journey: Journey
) -> None:
    public = [p for p in pieces if not p.place.startswith("table ")]
    found = {name: places_of(text, public) for name, text in journey.private.items()}
    assert found == {name: [] for name in journey.private}


async def test_the_system_is_well_after_all(stack: Stack) -> None:
    assert (await asyncio.to_thread(stack.status))["state"] == "ready"
