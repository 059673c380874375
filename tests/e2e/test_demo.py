"""`qnt9 demo` on a running system."""

import json
import stat

import pytest

from operations.demo import SYMBOLS
from tests.support.operations.cli_invocation import qnt9
from tests.support.stack import Stack


async def test_demo_user_signs_in_and_has_a_watchlist_in_order(stack: Stack) -> None:
    user = json.loads(stack.qnt9("demo", "--json"))
    body = {"email": user["email"], "password": user["password"]}
    async with stack.http() as http:
        answer = await http.post("/api/v1/auth/signin", json=body)
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        answer = await http.get("/api/v1/watchlist", headers=headers)
        items = answer.json()["items"]
        assert [item["symbol"] for item in items] == [*SYMBOLS]
        assert [item["position"] for item in items] == [*range(len(SYMBOLS))]
    assert stat.S_IMODE((stack.data / "demo.json").stat().st_mode) == 0o600
    assert json.loads(stack.qnt9("demo", "--json")) == user


@pytest.mark.parametrize("environment", ["production", "staging"])
async def test_demo_is_refused_outside_development(stack: Stack, environment: str) -> None:
    data = str(stack.data)
    refused = await qnt9("demo", "--data", data, env={"QNT9_ENVIRONMENT": environment})
    assert refused.exit_code == 1
    assert "for development only" in refused.output
