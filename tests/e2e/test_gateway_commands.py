"""Commands over HTTP: preferences, repetitions and status handles."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from contracts import base64url
from contracts.commands import AddToWatchlist
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from gateway.commands.status_token import Handle
from infra.runtime.settings import OutcomeSettings
from tests.support.e2e.http_contract import ITEM, problem
from tests.support.stack import Stack
from tests.support.waiting import eventually


async def status_of(http: httpx.AsyncClient, location: str) -> dict[str, Any]:
    """The final status of a command."""

    async def ended() -> dict[str, Any]:
        answer = await http.get(location)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return {} if body["status"] == "pending" else body

    return await eventually(ended, what="the command's end")


async def test_who_prefers_not_to_wait_follows_the_command(http: httpx.AsyncClient) -> None:
    answer = await http.put(
        "/api/v1/watchlist/SAP.DE", json={"note": "later"}, headers={"Prefer": "respond-async"}
    )
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert int(answer.headers["retry-after"]) >= 1
    location = answer.headers["location"]
    assert answer.json() == {"status": "pending", "handle": location.rpartition("/")[2]}
    status = await status_of(http, location)
    assert (status["status"], status["parked"]) == ("succeeded", False)
    assert status["type"] == "qnt9.command.add_to_watchlist.v1"
    assert status["result"] == {"symbol": "SAP.DE", "note": "later"}


async def test_who_waits_is_answered_with_the_outcome(http: httpx.AsyncClient) -> None:
    answer = await http.put("/api/v1/watchlist/VOD.L", headers={"Prefer": "wait=100"})
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=20"


async def test_a_repetition_has_one_effect_and_the_same_answer(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    request_id, symbol = uuid4().hex, "MSFT"
    headers = {"Idempotency-Key": uuid4().hex, "X-Request-ID": request_id}
    path = f"/api/v1/watchlist/{symbol}"

    async def put(note: str) -> httpx.Response:
        return await http.put(path, json={"note": note}, headers=headers)

    answers = await asyncio.gather(*(put("once") for _ in range(8)))
    answers.append(await put("once"))
    for answer in answers:
        assert (answer.status_code, answer.json()) == (201, {"symbol": "MSFT", "note": "once"})
    problem(await put("twice"), 422, "idempotency-key-reused")
    headers["Prefer"] = "respond-async"
    status = await status_of(http, (await put("twice")).headers["location"])
    assert status["problem"]["code"] == "idempotency-key-reused"
    async with stack.postgres() as conn:
        emitted = await conn.fetch(
            "SELECT payload FROM outbox WHERE headers ->> 'ce_correlationid' = $1", request_id
        )
    about = [json.loads(row["payload"]) for row in emitted]
    assert [each["symbol"] for each in about if "user_id" in each] == [symbol]


async def test_keys_of_two_users_are_two_keys(stack: Stack, http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    other = await stack.verified_user()
    assert (await http.put("/api/v1/watchlist/BMW.DE", headers=key)).status_code == 201
    async with stack.http(headers=other.headers) as others:
        assert (await others.put("/api/v1/watchlist/BMW.DE", headers=key)).status_code == 201


async def test_what_is_older_than_is_remembered_is_gone_unless_it_waits(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    keys = load_or_create(Layout(stack.data)).keys
    kept = timedelta(days=OutcomeSettings().outcomes_kept_days)

    async def status_after(age: timedelta) -> httpx.Response:
        handle = Handle(command_id, AddToWatchlist.type, datetime.now(UTC) - age, None, None)
        signed = handle.sign(base64url.decode(keys["QNT9_GATEWAY_KEY"]))
        return await http.get(f"/api/v1/commands/{signed}")

    command_id = uuid4()
    assert (await status_after(kept - timedelta(minutes=1))).json()["status"] == "pending"
    problem(await status_after(kept + timedelta(minutes=1)), 410, "command-forgotten")
    async with stack.postgres() as conn:
        await conn.execute(
            """
            INSERT INTO parked_commands (command_id, consumer, type, reason)
            VALUES ($1, 'watchlist', $2, 'a bug')
            """,
            command_id,
            AddToWatchlist.type,
        )
    status = (await status_after(10 * kept)).json()
    assert (status["status"], status["parked"]) == ("pending", True)


async def test_a_handle_is_its_owners_alone(stack: Stack, http: httpx.AsyncClient) -> None:
    answer = await http.delete(ITEM, headers={"Prefer": "respond-async"})
    location = answer.headers["location"]
    assert (await status_of(http, location))["status"] == "succeeded"
    base, _, handle = location.rpartition("/")
    changed = f"{base}/{'B' if handle[0] == 'A' else 'A'}{handle[1:]}"
    for forged in (changed, f"{base}/abc", f"{location}A"):
        problem(await http.get(forged), 404, "not-found")
    other = await stack.verified_user()
    async with stack.http() as anybody:
        problem(await anybody.get(location, headers=other.headers), 404, "not-found")
        problem(await anybody.get(location), 401, "unauthenticated")
