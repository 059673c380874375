"""The order of a watchlist over the whole way."""

import httpx
import pytest

from tests.support.stack import Stack, User

PATH = "/api/v1/watchlist"
WAIT = {"Prefer": "wait=20"}


@pytest.fixture
async def user(stack: Stack) -> User:
    return await stack.verified_user()


async def listed(http: httpx.AsyncClient) -> list[str]:
    items = (await http.get(PATH)).json()["items"]
    assert [item["position"] for item in items] == [*range(len(items))]
    return [item["symbol"] for item in items]


async def test_order_is_kept_and_new_symbols_follow(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers | WAIT) as http:
        for symbol in ("SAP.DE", "VOD.L", "AAPL"):
            (await http.put(f"{PATH}/{symbol}")).raise_for_status()
        answer = await http.patch(PATH, json={"order": ["aapl", "MSFT", "VOD.L"]})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"order": ["AAPL", "VOD.L", "SAP.DE"]}
        (await http.put(f"{PATH}/MSFT")).raise_for_status()
        assert await listed(http) == ["AAPL", "VOD.L", "SAP.DE", "MSFT"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"order": []},
        {"order": None},
        {"order": "AAPL"},
        {"order": ["AAPL", "aapl"]},
        {"order": ["not a symbol"]},
        {"order": [None]},
        {"order": [f"S{n}" for n in range(1_001)]},
        {"order": ["AAPL"], "symbols": []},
    ],
)
async def test_order_that_cannot_be_one_is_a_problem(
    stack: Stack, user: User, body: dict[str, object]
) -> None:
    async with stack.http(headers=user.headers) as http:
        answer = await http.patch(PATH, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-fields")
