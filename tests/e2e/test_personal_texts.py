"""Whatever text a person sends stands in clear only where the product keeps it for that person."""

from dataclasses import dataclass, field
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from tests.support.e2e.text_search import Piece, everything, places_of
from tests.support.sizes import size
from tests.support.stack import PASSWORD, Stack, User
from tests.support.waiting import eventually

pytestmark = pytest.mark.prove

RETAINED = {
    "address": ("users email",),
    "name": ("users display_name",),
    "note": ("watchlist_items note", "inbox outcome"),
    "agent": ("sessions user_agent", "audit_log_"),
}
"""The columns in which the product keeps what a person sent, until that person is erased."""
SHAPES = ("{}", "Ada {} Lovelace", "{}\u00e9", "a b {}")


@dataclass
class Person:
    """Somebody who types a text of their own into everything."""

    user: User
    canaries: dict[str, str] = field(default_factory=dict)

    def text(self, place: str, shape: str = "{}") -> str:
        self.canaries[place] = uuid4().hex + "x"
        return shape.format(self.canaries[place])


async def person(stack: Stack, number: int) -> Person:
    """Every field, header, query and path that takes a text has one that occurs nowhere else."""
    address = uuid4().hex + "x"
    somebody = Person(await stack.verified_user(f"{address}@example.com"), {"address": address})
    text, shape = somebody.text, SHAPES[number % len(SHAPES)]
    headers = somebody.user.headers | {
        "User-Agent": text("agent"),
        "X-Request-ID": f"ada.{text('request id')}",
        "traceparent": f"00-{uuid4().hex}-{uuid4().hex[:16]}-01",
        "tracestate": f"vendor={text('tracestate')}",
        "Referer": f"https://example.com/{text('referer')}",
        "Accept-Language": text("language"),
        "X-Anything": text("header"),
        "Cookie": f"name={text('cookie')}",
    }
    async with stack.http(headers=headers) as http:
        await type_everywhere(http, somebody, shape)
    assert len(somebody.canaries) >= 16
    return somebody


async def type_everywhere(http: httpx.AsyncClient, somebody: Person, shape: str) -> None:
    text = somebody.text
    key = {"Idempotency-Key": text("key")}
    note, name = {"note": text("note", shape)}, {"display_name": text("name", shape)}
    change = {"new_email": f"{text('another')}@example.com", "password": PASSWORD}
    answers = [
        await http.put("/api/v1/watchlist/AAPL", json=note, headers=key),
        await http.patch("/api/v1/users/me", json=name),
        await http.get("/api/v1/search", params={"q": text("search", shape)}),
        await http.post("/api/v1/auth/email/change", json=change),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 202]
    refused = [
        await http.get(f"/api/v1/commands/{text('handle')}"),
        await http.get(f"/nowhere/{quote(text('path'))}", params={"x": text("query")}),
        await http.put(f"/api/v1/watchlist/{text('symbol')}%20", json={text("field"): 1}),
        await http.post("/api/v1/auth/signin", json={"email": text("no address")}),
        await http.get("/api/v1/users/me/activity", params={"cursor": text("cursor")}),
    ]
    assert all(400 <= answer.status_code < 500 for answer in refused)


@pytest.fixture(scope="module")
async def users(stack: Stack) -> list[Person]:
    return [await person(stack, number) for number in range(size(2, 12))]


@pytest.fixture(scope="module")
async def pieces(stack: Stack, users: list[Person]) -> list[Piece]:
    async def until_quiescent() -> bool:
        await stack.mails_may_go()
        async with stack.postgres() as conn:
            busy: bool = await conn.fetchval(
                """
                SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL
                                   OR NOT EXISTS (SELECT FROM audit_log WHERE event_id = outbox.id))
                    OR EXISTS (SELECT FROM mails WHERE status IN ('queued', 'sending'))
                """
            )
        return not busy

    assert users
    await eventually(until_quiescent, seconds=180, what="rest")
    return await everything(stack)


def test_text_of_a_person_is_in_clear_on_no_topic_and_in_no_log(
    users: list[Person], pieces: list[Piece]
) -> None:
    public = [piece for piece in pieces if piece.place.startswith(("topic ", "log ", "metrics "))]
    assert len({piece.place.split()[0] for piece in public}) == 3
    for somebody in users:
        found = {n: places_of(text, public) for n, text in somebody.canaries.items()}
        assert found == {name: [] for name in found}


def test_text_of_a_person_is_in_no_table_but_where_the_product_keeps_it(
    users: list[Person], pieces: list[Piece]
) -> None:
    tables = [piece for piece in pieces if piece.place.startswith("table ")]
    for somebody in users:
        for name, text in somebody.canaries.items():
            retained = RETAINED.get(name, ())
            found = {place.removeprefix("table ") for place in places_of(text, tables)}
            assert not {place for place in found if not place.startswith(retained or ("-",))}, name
            assert not retained or any(place.startswith(retained) for place in found), name
