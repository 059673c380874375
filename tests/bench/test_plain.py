import asyncio

import httpx
import orjson
import pytest

from bench.users import FOLLOWED, LISTED, PASSWORD, sessions_as_at_the_start
from tests.support.bench import Plain
from tests.support.waiting import until

pytestmark = pytest.mark.postgres


async def test_a_put_makes_the_item_and_its_row_in_the_audit_log(plain: Plain) -> None:
    person = plain.users.everybody[0]
    path = f"/watchlist/{person.symbols[-1]}"
    for status, note in ((201, "first"), (200, "then")):
        answer = await plain.http.put(path, json={"note": note}, headers=plain.as_person())
        assert (answer.status_code, answer.json()) == (
            status,
            {"symbol": person.symbols[-1], "note": note},
        )
    [first, _] = await plain.logged()
    assert first["user_id"] == person.id
    assert (first["action"], first["ip"]) == ("watchlist.item_added", "203.0.113.7")
    assert first["user_agent"].startswith("python-httpx")
    assert orjson.loads(first["details"]) == {"symbol": person.symbols[-1], "note": "first"}


@pytest.mark.parametrize(
    ("path", "note", "status"),
    [
        ("X9999.DE", "nobody has it", 404),
        ("no symbol", "", 404),
        ("X0001.DE", "<b>bold</b>", 422),
        ("X0001.DE", "x" * 281, 422),
    ],
)
async def test_a_put_is_checked(plain: Plain, path: str, note: str, status: int) -> None:
    answer = await plain.http.put(
        f"/watchlist/{path}", json={"note": note}, headers=plain.as_person()
    )
    assert answer.status_code in {status, 422}
    assert await plain.logged() == []


async def test_a_full_list_takes_no_more_but_a_new_note(plain: Plain) -> None:
    person = plain.users.everybody[0]
    others = [s for other in plain.users.everybody[1:4] for s in other.symbols]
    free = [s for s in dict.fromkeys(others) if s not in person.symbols]
    await plain.database.executemany(
        "INSERT INTO watchlist_items (user_id, symbol) VALUES ($1, $2)",
        [(person.id, symbol) for symbol in free[: 50 - FOLLOWED]],
    )
    full = await plain.http.put(
        f"/watchlist/{free[-1]}", json={"note": "one more"}, headers=plain.as_person()
    )
    known = await plain.http.put(
        f"/watchlist/{person.symbols[0]}", json={"note": "known"}, headers=plain.as_person()
    )
    assert (full.status_code, known.status_code) == (409, 200)
    assert LISTED < 50, "a measurement must never fill a list"


async def test_reads_show_what_there_is(plain: Plain) -> None:
    person = plain.users.everybody[3]
    headers = plain.as_person(3)
    displayed = (await plain.http.get("/watchlist", headers=headers)).json()
    assert [item["symbol"] for item in displayed["items"]] == sorted(person.symbols[:FOLLOWED])
    assert all(item["quote"]["symbol"] == item["symbol"] for item in displayed["items"])
    assert displayed["limit"] == 50
    profile = (await plain.http.get("/users/me", headers=headers)).json()
    assert (profile["id"], profile["email"]) == (str(person.id), person.email)
    quote = (await plain.http.get("/quotes/x0001.de", headers=headers)).json()
    assert (quote["symbol"], quote["stale"]) == ("X0001.DE", False)


async def test_no_one_comes_in_without_a_token(plain: Plain) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = await plain.http.get("/users/me", headers=headers)
        assert answer.status_code in {401, 403}


async def test_a_sign_up_makes_an_account_and_sends_the_mail(plain: Plain) -> None:
    body = {"email": "new@example.com", "password": PASSWORD, "display_name": "New"}
    answer = await plain.http.post("/auth/signup", json=body)
    assert answer.status_code == 202

    async def mailed() -> bool:
        done: bool = await plain.database.fetchval(
            "SELECT bool_and(mailed_at IS NOT NULL) FROM mailed_tokens"
        )
        return done

    await until(mailed)
    [mail] = plain.mails.taken
    assert mail.recipient == "new@example.com"
    assert [row["action"] for row in await plain.logged()] == ["user.signup"]
    weak = await plain.http.post("/auth/signup", json=body | {"password": "weak"})
    assert weak.status_code == 422


async def test_signing_in_gives_tokens_that_are_taken(plain: Plain) -> None:
    email = plain.users.everybody[0].email
    answer = await plain.http.post("/auth/signin", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await plain.http.get("/users/me", headers=headers)).json()["email"] == email
    wrong = await plain.http.post("/auth/signin", json={"email": email, "password": "Wrong-1-x"})
    assert wrong.status_code == 401
    actions = {row["action"] for row in await plain.logged()}
    assert actions == {"user.signin", "user.signin_failed"}


async def refreshed(plain: Plain, token: str) -> httpx.Response:
    return await plain.http.post("/auth/refresh", json={"refresh_token": token})


async def test_a_refresh_token_rotates_and_a_copy_ends_the_session(plain: Plain) -> None:
    await sessions_as_at_the_start(plain.database, plain.users)
    person = plain.users.everybody[0]
    first = await refreshed(plain, person.refresh_token)
    assert first.status_code == 200, first.text
    second = first.json()["refresh_token"]
    assert second != person.refresh_token
    again = await refreshed(plain, person.refresh_token)
    assert again.json()["refresh_token"] == second
    headers = {"Authorization": f"Bearer {first.json()['access_token']}"}
    assert (await plain.http.get("/users/me", headers=headers)).json()["id"] == str(person.id)
    third = (await refreshed(plain, second)).json()["refresh_token"]
    reused = await refreshed(plain, person.refresh_token)
    assert (reused.status_code, "token-reused" in reused.text) == (401, True)
    for token in (third, second, "nonsense", f"{'A' * 22}.{'A' * 43}"):
        refused = await refreshed(plain, token)
        assert (refused.status_code, "invalid-refresh-token" in refused.text) == (401, True)
    logged = await plain.logged()
    assert [row["action"] for row in logged] == [
        *["user.token_refreshed"] * 2,
        "user.token_reuse_detected",
    ]
    assert {row["user_id"] for row in logged} == {person.id}
    assert orjson.loads(logged[0]["details"]) == {"session_id": str(person.session_id)}


async def test_a_spent_token_is_forgiven_for_ten_seconds(plain: Plain) -> None:
    await sessions_as_at_the_start(plain.database, plain.users)
    person = plain.users.everybody[0]
    assert (await refreshed(plain, person.refresh_token)).status_code == 200
    await plain.database.execute(
        "UPDATE refresh_tokens SET spent_at = spent_at - interval '10 seconds'"
    )
    assert "token-reused" in (await refreshed(plain, person.refresh_token)).text


async def test_of_two_refreshes_at_once_both_get_the_one_successor(plain: Plain) -> None:
    await sessions_as_at_the_start(plain.database, plain.users)
    token = plain.users.everybody[0].refresh_token
    answers = await asyncio.gather(*(refreshed(plain, token) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert len(await plain.logged()) == 1


async def test_the_token_of_a_sign_in_can_be_refreshed(plain: Plain) -> None:
    body = {"email": plain.users.everybody[0].email, "password": PASSWORD}
    tokens = (await plain.http.post("/auth/signin", json=body)).json()
    assert (await refreshed(plain, tokens["refresh_token"])).status_code == 200


async def test_requests_are_counted_and_too_many_are_refused(plain: Plain) -> None:
    email = "nobody@example.com"
    body = {"email": email, "password": "Wrong-1-x"}
    answer = await plain.http.get("/users/me", headers=plain.as_person())
    assert "ratelimit-policy" in answer.headers
    assert "r=999999" in answer.headers["ratelimit"]
    keys = await plain.redis.keys("qnt9:limit:*")
    assert len(keys) == 3
    await plain.http.post("/auth/signin", json=body)
    (failures,) = await plain.redis.keys("qnt9:limit:signin-failures:*")
    (slot,) = await plain.redis.hkeys(failures)
    await plain.redis.hset(failures, slot, 1_000)
    answer = await plain.http.post("/auth/signin", json=body)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate-limited")
    assert int(answer.headers["retry-after"]) >= 1
