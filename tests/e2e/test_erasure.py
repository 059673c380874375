"""Somebody is forgotten by the running system: searched for in every place, in every disguise."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.commands import AddToWatchlist
from contracts.events import UserErased
from contracts.personal import ErasedError, Personal, PersonalKey
from contracts.topics import USERS_EVENTS, WATCHLIST, WATCHLIST_COMMANDS
from infra.messaging.dead_letter_encryption import ENCRYPTED_FOR, decrypt
from tests.support.e2e.outages import is_problem
from tests.support.e2e.records import Raw
from tests.support.e2e.text_search import Piece, everything, places_of
from tests.support.message_builders import an_envelope
from tests.support.stack import PASSWORD, Stack, User
from tests.support.waiting import eventually

ERASE = "/api/v1/users/me/erase"
ME = "/api/v1/users/me"
DEAD_LETTERS = WATCHLIST_COMMANDS.dead_letters(WATCHLIST)


@dataclass(frozen=True)
class Gone:
    """Somebody who was erased, what of them was written, and the key as it was."""

    user: User
    user_id: UUID
    canaries: dict[str, str]
    key: PersonalKey
    before: dict[str, list[str]]
    after: list[Piece]


async def live(stack: Stack) -> tuple[User, dict[str, str]]:
    """An account that leaves something in each place."""
    canaries = {
        name: f"{name}-{uuid4().hex}" for name in ("name", "note", "agent", "address", "another")
    }
    canaries |= {n: f"{canaries[n]}@example.com" for n in ("address", "another")}
    user = await stack.verified_user(canaries["address"])
    headers = user.headers | {"User-Agent": canaries["agent"]}
    async with stack.http(headers=headers) as http:
        answers = [
            await http.patch(ME, json={"display_name": canaries["name"]}),
            await http.put("/api/v1/watchlist/AAPL", json={"note": canaries["note"]}),
            await http.post(
                "/api/v1/auth/email/change",
                json={"new_email": canaries["another"], "password": PASSWORD},
            ),
            await http.post("/api/v1/auth/password/forgot", json={"email": user.email}),
        ]
        assert [answer.status_code for answer in answers] == [200, 201, 202, 202]
    await stack.mailed_token(canaries["another"])
    canaries["letter"] = await in_dead_letter(stack, user)
    return user, canaries


async def in_dead_letter(stack: Stack, user: User) -> str:
    """A text in a command of this user's that becomes a dead letter. Returns the text."""
    text = f"letter-{uuid4().hex}"
    async with stack.postgres() as conn:
        user_id = await conn.fetchval("SELECT id FROM users WHERE email = $1", user.email)
    envelope = an_envelope(AddToWatchlist, actor=user_id)
    value = f'{{"symbol": "{text}'.encode()  # cut off
    record = Raw(envelope.id, str(user_id).encode(), value, [*envelope.to_headers()])
    async with stack.producer() as producer:
        await record.send(producer, WATCHLIST_COMMANDS.name)

    async def set_aside() -> bool:
        return await dead_letter_of(stack, envelope.id) is not None

    await eventually(set_aside, seconds=120, what="a dead letter")
    return text


async def dead_letter_of(stack: Stack, command_id: UUID) -> Any:
    """The dead letter of a command; None while there is none."""
    for record in await stack.records(DEAD_LETTERS):
        if dict(record.headers).get("ce_id") == str(command_id).encode():
            return record
    return None


async def until_quiescent(stack: Stack) -> bool:
    await stack.mails_may_go()
    async with stack.postgres() as conn:
        busy = await conn.fetchval(
            """
            SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)
                OR EXISTS (SELECT FROM mails WHERE status IN ('queued', 'sending'))
                OR EXISTS (SELECT FROM outbox
                            WHERE NOT EXISTS (
                                  SELECT FROM audit_log WHERE audit_log.event_id = outbox.id))
            """
        )
    return not busy


@pytest.fixture(scope="module")
async def gone(stack: Stack) -> Gone:
    user, canaries = await live(stack)
    await eventually(lambda: until_quiescent(stack), seconds=180, what="rest")
    pieces = await everything(stack)
    async with stack.postgres() as conn:
        row = await conn.fetchrow(
            """
            SELECT users.id, secret
              FROM users JOIN personal_keys ON personal_keys.id = 'user:' || users.id
             WHERE email = $1
            """,
            user.email,
        )
    assert row
    async with stack.http(headers=user.headers) as http:
        answer = await http.post(ERASE, json={"password": "Wrong-horse-7"})
        assert is_problem(answer, "wrong-password", retry=False)
        answer = await http.post(ERASE, json={"password": PASSWORD})
        assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
        answer = await http.get(ME)
        assert answer.status_code == 401, "at once"
    await eventually(lambda: until_quiescent(stack), seconds=180, what="rest")
    return Gone(
        user,
        row["id"],
        canaries,
        PersonalKey(f"user:{row['id']}", row["secret"]),
        {name: places_of(text, pieces) for name, text in canaries.items()},
        await everything(stack),
    )


def test_before_it_was_found_where_it_had_to_be(gone: Gone) -> None:
    expected = {"address": "users email", "name": "users display_name", "note": "watchlist_items"}
    for name, place in expected.items():
        assert any(place in found for found in gone.before[name]), name
    assert any("audit_log" in found for found in gone.before["agent"])
    assert any("inbox outcome" in found for found in gone.before["note"])


def test_before_nothing_personal_is_in_clear_on_a_topic(gone: Gone) -> None:
    """But what was put there in clear by this test."""
    found = [place for places in gone.before.values() for place in places]
    topics = [place for place in found if place.startswith("topic ")]
    assert [place for place in topics if place in gone.before["letter"]] == topics
    assert not [place for place in topics if place.startswith(f"topic {DEAD_LETTERS} ")]


async def test_dead_letter_of_an_erased_user_can_only_be_discarded(
    stack: Stack, gone: Gone
) -> None:
    [dead_letter] = [
        record
        for record in await stack.records(DEAD_LETTERS)
        if dict(record.headers).get(ENCRYPTED_FOR) == gone.key.id.encode()
    ]
    assert gone.canaries["letter"].encode() in (decrypt(dead_letter, gone.key).value or b""), (
        "its key"
    )
    number = f"watchlist.commands.watchlist:{dead_letter.offset}"
    assert gone.canaries["letter"] not in stack.qnt9("dlq", "show", number)
    redriven = stack.run("dlq", "redrive", number, "--reason", "a test")
    assert "its user was erased" in redriven.stdout + redriven.stderr
    assert "1 dead letter" in stack.qnt9("dlq", "discard", number, "--reason", "a test")


def test_afterwards_nothing_in_clear_is_anywhere(gone: Gone) -> None:
    left = {name: places_of(text, gone.after) for name, text in gone.canaries.items()}
    left["letter"] = [p for p in left["letter"] if not p.startswith("topic watchlist.commands ")]
    assert left == {name: [] for name in gone.canaries}


async def test_what_is_encrypted_is_still_there_and_can_be_read_by_no_one(
    stack: Stack, gone: Gone
) -> None:
    async with stack.postgres() as conn:
        keys = await conn.fetch("SELECT FROM personal_keys WHERE id = $1", gone.key.id)
        rows = await conn.fetch(
            "SELECT payload, ip_address, user_agent FROM audit_log WHERE user_id = $1",
            gone.user_id,
        )
    assert not keys
    assert len(rows) >= 7
    assert all(row["ip_address"] is None and row["user_agent"] is None for row in rows)
    sealed = [value for row in rows for value in _sealed(row["payload"])]
    assert sealed
    assert {str(gone.key.decrypt(value)) for value in sealed} >= {gone.user.email}, "the old key"
    other = PersonalKey(gone.key.id, bytes(32))
    for value in sealed:
        with pytest.raises(ErasedError):
            Personal.of_token(value).reveal(other)


def _sealed(payload: bytes) -> list[str]:
    values = json.loads(payload).values()
    return [value for value in values if isinstance(value, str) and value.startswith("p1.")]


@pytest.mark.usefixtures("gone")
async def test_everyone_elses_entries_stay_readable(stack: Stack) -> None:
    async with stack.http() as http:
        other = await stack.verified_user()

        async def entries() -> list[dict[str, Any]]:
            answer = await http.get(f"{ME}/activity", headers=other.headers)
            found: list[dict[str, Any]] = answer.json()["activity"]
            return found if len(found) == 3 else []

        found = await eventually(entries, what="activity")
    assert all(each["ip_address"] and each["user_agent"] for each in found)


async def test_who_is_gone_cannot_come_back_but_as_someone_new(stack: Stack, gone: Gone) -> None:
    async with stack.http() as http:
        body = {"email": gone.user.email, "password": PASSWORD}
        assert (await http.post("/api/v1/auth/signin", json=body)).status_code == 401
        answer = await http.post(
            "/api/v1/auth/refresh", json={"refresh_token": gone.user.refresh_token}
        )
        assert answer.status_code == 401
        for path in (ME, "/api/v1/watchlist", f"{ME}/activity"):
            assert (await http.get(path, headers=gone.user.headers)).status_code == 401


async def test_other_services_are_informed_who_is_gone(stack: Stack, gone: Gone) -> None:
    reported = [
        dict(record.headers)
        for record in await stack.records(USERS_EVENTS.name)
        if record.key == str(gone.user_id).encode()
    ]
    assert reported[-1]["ce_type"] == UserErased.type.encode()


async def test_the_address_can_sign_up_again(stack: Stack, gone: Gone) -> None:
    await stack.mails_may_go()
    before = len(await stack.mails(gone.user.email))
    async with stack.http() as http:
        body = {"email": gone.user.email, "password": PASSWORD}
        assert (await http.post("/api/v1/auth/signup", json=body)).status_code == 202

    async def another() -> bool:
        return len(await stack.mails(gone.user.email)) > before

    await eventually(another, seconds=120, what="a mail")
