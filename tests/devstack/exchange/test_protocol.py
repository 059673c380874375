from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support.devstack.exchange_client import MONDAY_NOON_IN_BERLIN, Client


async def test_a_chart_reports_price_currency_times_and_where_it_is_from(exchange: Client) -> None:
    await exchange.clock(MONDAY_NOON_IN_BERLIN)
    chart = await exchange.chart("SAP.DE", range="1d", interval="1d")
    meta = chart["meta"]
    assert (meta["symbol"], meta["currency"], meta["source"]) == ("SAP.DE", "EUR", "sandbox")
    regular = meta["currentTradingPeriod"]["regular"]
    assert regular["start"] < meta["regularMarketTime"] < regular["end"]
    assert chart["timestamp"] == [meta["regularMarketTime"]]
    (quote,) = chart["indicators"]["quote"]
    assert quote["close"] == [meta["regularMarketPrice"]]
    assert isinstance(meta["regularMarketPrice"], Decimal)


async def test_the_previous_close_is_the_one_before_the_range(exchange: Client) -> None:
    await exchange.clock(MONDAY_NOON_IN_BERLIN)
    week = await exchange.chart("SAP.DE", range="5d", interval="1d")
    day = await exchange.chart("SAP.DE", range="1d", interval="1d")
    closes = week["indicators"]["quote"][0]["close"]
    assert len(closes) == len(week["timestamp"]) == 5
    assert day["meta"]["chartPreviousClose"] == closes[-2]
    assert week["meta"]["chartPreviousClose"] != closes[-2]


async def test_pence_are_called_pence(exchange: Client) -> None:
    assert (await exchange.chart("VOD.L"))["meta"]["currency"] == "GBp"


async def test_an_unknown_symbol_and_a_bad_range_are_refused_in_json(exchange: Client) -> None:
    unknown = await exchange.get("/v8/finance/chart/NOPE")
    assert unknown.status_code == 404
    assert unknown.json() == {
        "chart": {
            "result": None,
            "error": {
                "code": "Not Found",
                "description": "No data found, symbol may be delisted",
            },
        }
    }
    bad = await exchange.get("/v8/finance/chart/AAPL", range="9x")
    assert bad.status_code == 422
    assert bad.json()["chart"]["error"]["code"] == "Unprocessable Entity"


async def test_spark_leaves_out_what_it_does_not_know_and_takes_twenty(exchange: Client) -> None:
    twenty = [f"X{number:04d}.DE" for number in range(1, 20)] + ["NOPE"]
    v8 = (await exchange.get("/v8/finance/spark", symbols=",".join(twenty))).json()
    assert list(v8) == twenty[:-1]
    assert "currency" not in v8["X0001.DE"]
    v7 = (await exchange.get("/v7/finance/spark", symbols=",".join(twenty))).json()
    assert [row["symbol"] for row in v7["spark"]["result"]] == twenty[:-1]
    assert v7["spark"]["result"][0]["response"][0]["meta"]["currency"] == "EUR"
    too_many = await exchange.get("/v7/finance/spark", symbols=",".join([*twenty, "AAPL"]))
    assert (too_many.status_code, too_many.json()["spark"]["result"]) == (400, None)


async def test_search_answers_rows_some_without_a_symbol_or_none(exchange: Client) -> None:
    found = (await exchange.get("/v1/finance/search", q="apple", quotesCount="1")).json()
    assert found["count"] == len(found["quotes"]) == 1
    assert {"symbol", "shortname", "quoteType", "exchange", "exchDisp"} <= set(found["quotes"][0])
    assert "isin" not in found["quotes"][0]
    bosch = (await exchange.get("/v1/finance/search", q="bosch")).json()
    assert [row.get("symbol") for row in bosch["quotes"]] == [None]
    missed = await exchange.get("/v1/finance/search", q="zzzzzz")
    assert (missed.status_code, missed.json()["count"]) == (200, 0)


@pytest.mark.parametrize("agent", ["", "python-requests/2.34", "Python-urllib/3.11"])
async def test_without_a_name_of_its_own_a_client_is_throttled(
    exchange: Client, agent: str
) -> None:
    answer = await exchange.http.get("/v8/finance/chart/AAPL", headers={"User-Agent": agent})
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "text/plain"
    assert answer.text.strip() == "Too Many Requests"


async def test_an_empty_bucket_blocks_everything_and_the_block_sticks(exchange: Client) -> None:
    await exchange.bucket(rate=0.001, burst=2, block_seconds=900, retry_after="seconds")
    asked = ("AAPL", "MSFT", "AAPL", "NOPE", "MSFT")
    answers = [await exchange.get(f"/v8/finance/chart/{symbol}") for symbol in asked]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429, 429]
    assert 890 < int(answers[-1].headers["retry-after"]) <= 900
    await exchange.http.delete("/_control/bucket")
    assert (await exchange.get("/v8/finance/chart/AAPL")).status_code == 200


async def test_the_log_reports_every_request_and_counts(exchange: Client) -> None:
    await exchange.get("/v8/finance/chart/aapl", range="1d")
    await exchange.get("/v8/finance/spark", symbols="AAPL,NOPE")
    await exchange.get("/v8/finance/chart/NOPE")
    log = await exchange.log()
    seen: list[dict[str, Any]] = log["requests"]
    assert [(r["endpoint"], r["symbols"], r["status"]) for r in seen] == [
        ("chart", ["AAPL"], 200),
        ("spark", ["AAPL", "NOPE"], 200),
        ("chart", ["NOPE"], 404),
    ]
    assert log["counters"]["endpoints"] == {"chart": 2, "spark": 1}
    assert log["counters"]["symbols"] == {"AAPL": 2, "NOPE": 2}
    await exchange.http.delete("/_control/log")
    assert (await exchange.log())["requests"] == []


async def test_health_and_metrics_are_served_to_anyone(exchange: Client) -> None:
    for path in ("/health/live", "/health/ready", "/health/startup"):
        assert (await exchange.http.get(path, headers={"User-Agent": ""})).status_code == 200
    await exchange.get("/v8/finance/chart/AAPL")
    metrics = (await exchange.http.get("/metrics")).text
    assert 'qnt9_exchange_requests_total{endpoint="chart",status="200"}' in metrics


@pytest.mark.parametrize("body", ["", "{}", '{"now": "noon"}', '{"now": 1e300}', '{"now": null}'])
async def test_a_clock_that_makes_no_sense_is_refused(exchange: Client, body: str) -> None:
    answer = await exchange.http.put("/_control/clock", content=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_clock_stands_until_it_is_let_go(exchange: Client) -> None:
    await exchange.clock(1_772_449_200)
    clock = (await exchange.http.get("/_control/clock")).json()
    assert clock == {"now": 1_772_449_200, "set": True}
    assert await exchange.price("SAP.DE") == await exchange.price("SAP.DE")
    await exchange.http.delete("/_control/clock")
    assert (await exchange.http.get("/_control/clock")).json()["set"] is False


async def test_every_answer_is_marked(exchange: Client) -> None:
    answers: list[httpx.Response] = [
        await exchange.get("/v8/finance/chart/AAPL"),
        await exchange.get("/v8/finance/spark", symbols="AAPL"),
        await exchange.get("/v1/finance/search", q="AAPL"),
    ]
    assert {answer.headers["x-quote-source"] for answer in answers} == {"sandbox"}


async def test_a_split_lowers_the_price_and_is_in_the_chart_when_asked_for(
    exchange: Client,
) -> None:
    await exchange.clock(MONDAY_NOON_IN_BERLIN)
    before = await exchange.price("SAP.DE")
    await exchange.fault("SAP.DE", {"kind": "split", "numerator": 50})
    assert round(before / await exchange.price("SAP.DE")) == 50
    assert "events" not in await exchange.chart("SAP.DE")
    chart = await exchange.chart("SAP.DE", range="1mo", events="split")
    (split,) = chart["events"]["splits"].values()
    assert (split["numerator"], split["denominator"], split["splitRatio"]) == (50, 1, "50:1")


@pytest.mark.parametrize(("number", "symbol"), [("716460", "SAP.DE"), ("865985", "AAPL")])
async def test_a_wkn_finds_what_it_belongs_to(exchange: Client, number: str, symbol: str) -> None:
    rows = (await exchange.get("/v1/finance/search", q=number)).json()["quotes"]
    assert [row["symbol"] for row in rows] == [symbol]
