import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from tests.support.devstack.exchange_client import Client

AAPL = "/v8/finance/chart/AAPL"


@pytest.mark.parametrize("status", [404, 422, 500, 502, 503, 999])
async def test_a_symbol_can_be_given_a_status(exchange: Client, status: int) -> None:
    await exchange.fault("AAPL", {"kind": "status", "status": status})
    assert (await exchange.get(AAPL)).status_code == status
    assert (await exchange.get("/v8/finance/chart/MSFT")).status_code == 200


async def test_a_fault_ends_after_its_times_and_the_next_of_the_script_follows(
    exchange: Client,
) -> None:
    await exchange.fault(
        "*",
        {"kind": "status", "status": 500, "times": 2},
        {"kind": "rate_limited", "retry_after": 30, "times": 1},
    )
    answers = [await exchange.get(AAPL) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [500, 500, 429, 200]
    assert answers[2].headers["retry-after"] == "30"
    assert "retry-after" not in answers[1].headers


async def test_a_fault_can_be_taken_back_and_be_of_one_endpoint(exchange: Client) -> None:
    await exchange.fault("AAPL", {"kind": "status", "status": 503, "endpoint": "spark"})
    assert (await exchange.get(AAPL)).status_code == 200
    assert (await exchange.get("/v8/finance/spark", symbols="AAPL,MSFT")).status_code == 503
    await exchange.http.delete("/_control/faults/AAPL")
    assert (await exchange.get("/v8/finance/spark", symbols="AAPL")).status_code == 200
    await exchange.fault("*", {"kind": "html"})
    await exchange.http.delete("/_control/faults")
    assert (await exchange.http.get("/_control/faults")).json() == {}


async def test_a_reset_breaks_the_connection_and_the_next_one_works(exchange: Client) -> None:
    await exchange.fault("AAPL", {"kind": "reset", "times": 1})
    with pytest.raises(httpx.ReadError) as broken:
        await exchange.get(AAPL)
    assert isinstance(_root(broken.value), ConnectionResetError)
    assert (await exchange.get(AAPL)).status_code == 200
    requests = (await exchange.log())["requests"]
    assert [(r["status"], r["faults"]) for r in requests] == [(None, ["reset"]), (200, [])]


async def test_truncated_json_is_a_complete_answer_with_half_of_it(exchange: Client) -> None:
    await exchange.fault("AAPL", {"kind": "truncated"})
    answer = await exchange.get(AAPL)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_slow_headers_keep_a_client_waiting_for_the_first_byte(exchange: Client) -> None:
    await exchange.fault("AAPL", {"kind": "slow_headers", "seconds": 0.3, "times": 1})
    began = time.monotonic()
    assert (await exchange.get(AAPL)).status_code == 200
    assert time.monotonic() - began >= 0.3


async def test_slow_body_sends_headers_at_once_and_the_rest_late(exchange: Client) -> None:
    await exchange.fault("AAPL", {"kind": "slow_body", "seconds": 0.5})
    began = time.monotonic()
    async with exchange.http.stream("GET", AAPL) as answer:
        headers_after = time.monotonic() - began
        body = await answer.aread()
    assert headers_after < 0.4
    assert time.monotonic() - began >= 0.5
    assert json.loads(body)["chart"]["error"] is None


async def test_a_client_that_gives_up_is_no_longer_in_flight_when_its_time_is_over(
    exchange: Client,
) -> None:
    await exchange.fault("AAPL", {"kind": "slow_headers", "seconds": 0.2})
    with pytest.raises(httpx.ReadTimeout):
        await exchange.http.get(AAPL, timeout=0.05)
    async with asyncio.timeout(5):
        while (await exchange.log())["in_flight"]:
            pass


@pytest.mark.parametrize("status", [200, 500])
async def test_html_can_stand_where_json_should(exchange: Client, status: int) -> None:
    await exchange.fault("*", {"kind": "html", "status": status})
    answer = await exchange.get("/v1/finance/search", q="apple")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


async def test_consent_is_a_redirect_to_another_host(exchange: Client) -> None:
    await exchange.fault("AAPL", {"kind": "redirect_consent"})
    answer = await exchange.get(AAPL)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://consent.example.com/")


async def test_the_content_can_be_wrong_in_each_known_way(exchange: Client) -> None:
    async def with_fault(**fault: Any) -> dict[str, Any]:
        await exchange.fault("AAPL", fault)
        return await exchange.chart("AAPL")

    assert (await with_fault(kind="null_holes"))["indicators"]["quote"][0]["close"] == [None]
    bare = await with_fault(kind="no_timestamp")
    assert "timestamp" not in bare
    assert bare["indicators"]["quote"] == [{}]
    assert (await with_fault(kind="null_currency"))["meta"]["currency"] is None
    assert (await with_fault(kind="currency", value="GBP"))["meta"]["currency"] == "GBP"
    assert (await with_fault(kind="other_symbol", value="MSFT"))["meta"]["symbol"] == "MSFT"
    for value in (0, -1, None, "n/a"):
        assert (await with_fault(kind="price", value=value))["meta"]["regularMarketPrice"] == value
    await with_fault(kind="price", value="NaN")
    assert '"regularMarketPrice":NaN' in (await exchange.get(AAPL)).text


async def test_a_wrong_content_touches_one_symbol_of_a_batch(exchange: Client) -> None:
    await exchange.fault("AAPL", {"kind": "price", "value": 0})
    sparks = (await exchange.get("/v8/finance/spark", symbols="AAPL,MSFT")).json()
    assert sparks["AAPL"]["close"] == [0]
    assert sparks["MSFT"]["close"] != [0]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "unheard_of"},
        {"kind": "status", "status": 42},
        {"kind": "price"},
        {"kind": "reset", "times": 0},
        {"kind": "reset", "surplus": 1},
        {"kind": "slow_body", "seconds": -1},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(
    exchange: Client, fault: dict[str, Any]
) -> None:
    answer = await exchange.http.put("/_control/faults/AAPL", json=fault)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
