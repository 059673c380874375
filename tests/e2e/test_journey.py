"""The journey: from signing up to the audit log, each step with whoever took it."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import httpx
import pytest

from contracts.physical_topics import physical_topics
from tests.support.stack import AGENT, PASSWORD, Stack
from tests.support.waiting import eventually

SYMBOLS = ("AAPL", "SAP.DE", "VOD.L")
STEPS = {
    "signup": ("signup.commands", "users.events", "user.signup"),
    "verify": ("passwords.commands", "users.events", "user.email_verified"),
    "signin": ("signin.commands", "users.events", "user.signin"),
    **{
        f"put-{symbol}": ("watchlist.commands", "watchlists.events", "watchlist.item_added")
        for symbol in SYMBOLS
    },
}
AUDIT_SECONDS = 10.0


@dataclass
class Traveller:
    """One person with a browser; every request has an id and a trace of its own."""

    stack: Stack
    http: httpx.AsyncClient
    email: str = field(default_factory=lambda: f"{uuid4().hex[:12]}@example.com")
    run: UUID = field(default_factory=uuid4)
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)

    async def ask(self, step: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        self.traces[step] = uuid4().hex
        headers |= {
            "X-Request-ID": self.request_id(step),
            "traceparent": f"00-{self.traces[step]}-{uuid4().hex[:16]}-01",
        }
        answer = await self.http.request(method, f"/api/v1{path}", json=body, headers=headers)
        assert answer.headers["x-request-id"] == self.request_id(step)
        self.answers[step] = answer
        return answer.json()

    async def sees_fresh_quotes(self, bearer: dict[str, str]) -> bool:
        """What others looked at long ago is shown at once, stale, and renewed behind."""
        watchlist = await self.ask("watchlist", "GET", "/watchlist", **bearer)
        quotes = [item["quote"] for item in watchlist["items"]]
        return all(quote and not quote["stale"] for quote in quotes)

    def request_id(self, step: str) -> str:
        """One that passes as it is, for it can hold no name."""
        return uuid5(self.run, step).hex

    async def user(self) -> asyncpg.Record:
        async with self.stack.postgres() as conn:
            query = "SELECT id, email_confirmed_at FROM users WHERE email = $1"
            found = await conn.fetchrow(query, self.email)
        assert found
        return found


@pytest.fixture(scope="module")
async def traveller(stack: Stack) -> Traveller:
    """Somebody who has been all the way."""
    async with stack.http() as http:
        someone = Traveller(stack, http)
        account = {"email": someone.email, "password": PASSWORD, "display_name": "Ada"}
        await someone.ask("signup", "POST", "/auth/signup", account)
        token = await stack.mailed_token(someone.email)
        someone.answers["page"] = await http.get("/verify", params={"token": token})
        assert (await someone.user())["email_confirmed_at"] is None
        proven = {"token": token, "password": PASSWORD}
        await someone.ask("verify", "POST", "/auth/verify", proven)
        await someone.ask("verify-again", "POST", "/auth/verify", proven)
        credentials = {"email": someone.email, "password": PASSWORD}
        tokens = await someone.ask("signin", "POST", "/auth/signin", credentials)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        await someone.ask("me", "GET", "/users/me", **bearer)
        for symbol in SYMBOLS:
            body = {"note": f"about {symbol}"}
            await someone.ask(f"put-{symbol}", "PUT", f"/watchlist/{symbol}", body, **bearer)
        await eventually(lambda: someone.sees_fresh_quotes(bearer), what="fresh quotes")
        return someone


def test_signing_up_reveals_nothing_but_that_it_was_accepted(traveller: Traveller) -> None:
    answer = traveller.answers["signup"]
    assert answer.status_code == 202
    reported = answer.json()
    assert len(reported.pop("signup_secret")) == 43
    assert reported == {"status": "accepted"}
    assert "location" not in answer.headers


async def test_the_mail_is_in_the_inbox_with_a_link_to_the_page(traveller: Traveller) -> None:
    (mail,) = await traveller.stack.mails(traveller.email)
    base = re.escape(traveller.stack.urls["web"]["url"])
    link = re.search(rf"{base}/verify\?token=[A-Za-z0-9_-]{{43}}\s", mail["text"])
    assert link
    assert link[0].strip() in mail["html"]
    assert mail["subject"]


async def test_the_page_of_the_link_asks_no_one_else(traveller: Traveller) -> None:
    page = traveller.answers["page"]
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert all("http" not in each and "unsafe" not in each for each in policy)
    assert "http" not in page.text
    async with traveller.stack.http() as http:
        for path in re.findall(r'(?:href|src)="([^"]+)"', page.text):
            assert (await http.get(path)).status_code == 200


def test_the_address_is_verified_once(traveller: Traveller) -> None:
    first, again = traveller.answers["verify"], traveller.answers["verify-again"]
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json().keys() == {"email_confirmed_at"}


def test_signing_in_gives_tokens_for_the_account(traveller: Traveller) -> None:
    tokens = traveller.answers["signin"].json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
    me = traveller.answers["me"].json()
    assert me["email"] == traveller.email
    assert (me["display_name"], me["tier"], me["permissions"]) == ("Ada", "free", [])
    confirmed = traveller.answers["verify"].json()["email_confirmed_at"]
    times = [datetime.fromisoformat(text) for text in (me["email_confirmed_at"], confirmed)]
    assert times[0] == times[1]


def test_the_watchlist_shows_the_symbols_with_quotes(traveller: Traveller) -> None:
    for symbol in SYMBOLS:
        answer = traveller.answers[f"put-{symbol}"]
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"symbol": symbol, "note": f"about {symbol}"}
    watchlist = traveller.answers["watchlist"].json()
    assert watchlist["limit"] == 50
    assert [item["symbol"] for item in watchlist["items"]] == list(SYMBOLS)
    for item in watchlist["items"]:
        assert item["note"] == f"about {item['symbol']}"
        quote = item["quote"]
        assert (quote["symbol"], quote["source"]) == (item["symbol"], "sandbox")
        assert re.fullmatch(r"\d+\.\d+", quote["price"])
        assert (quote["stale"], quote["stale_reason"]) == (False, None)


async def audit_row(stack: Stack, request_id: str, action: str) -> asyncpg.Record:
    async def row() -> asyncpg.Record | None:
        async with stack.postgres() as conn:
            rows = await conn.fetch(
                "SELECT * FROM audit_log WHERE correlation_id = $1 AND action = $2",
                request_id,
                action,
            )
        assert len(rows) <= 1
        return rows[0] if rows else None

    found = await eventually(row, seconds=AUDIT_SECONDS, what=f"{action} in the audit log")
    assert found
    return found


@pytest.mark.parametrize("step", STEPS)
async def test_the_audit_log_has_each_step_with_who_took_it_and_from_where(
    traveller: Traveller, step: str
) -> None:
    row = await audit_row(traveller.stack, traveller.request_id(step), STEPS[step][2])
    assert row["user_id"] == (await traveller.user())["id"]
    assert str(row["ip_address"]) == "127.0.0.1"
    assert row["user_agent"] == AGENT
    assert row["created_at"] <= row["recorded_at"]


@pytest.mark.parametrize("step", STEPS)
async def test_request_and_trace_are_known_from_the_command_to_the_audit_log(
    traveller: Traveller, step: str
) -> None:
    commands, events, action = STEPS[step]
    row = await audit_row(traveller.stack, traveller.request_id(step), action)
    command = await headers_on(traveller, commands, step)
    event = await headers_on(traveller, events, step, type_=row["type"])
    assert event["ce_causationid"] == command["ce_id"]
    assert UUID(event["ce_id"]) == row["event_id"]
    recorded = json.loads(row["headers"])
    assert recorded == event
    parents = [headers["traceparent"].split("-") for headers in (command, event, recorded)]
    assert {parent[1] for parent in parents} == {traveller.traces[step]}
    assert parents[0][2] != parents[1][2]


async def headers_on(
    traveller: Traveller, topic: str, step: str, type_: str | None = None
) -> dict[str, str]:
    """The headers of the one record that a step has put on a topic."""
    assert topic in {each.name for each in physical_topics()}
    found = [
        headers
        for record in await traveller.stack.records(topic)
        if (headers := {n: (v or b"").decode(errors="replace") for n, v in record.headers}).get(
            "ce_correlationid"
        )
        == traveller.request_id(step)
        and type_ in {None, headers["ce_type"]}
    ]
    assert len(found) == 1
    return found[0]
