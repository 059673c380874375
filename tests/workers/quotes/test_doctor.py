"""What `qnt9 quotes doctor` reports of a provider that is as expected, and of one that is not."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.responses import JSONResponse

from tests.support.devstack.exchange_client import Client
from tests.support.stack import ROOT
from tests.support.workers.twelvedata_server import KEY, StandIn, a_row, an_error, running_stand_in
from workers.quotes.doctor import Check, checks_of_second, checks_of_yahoo, examine, run
from workers.quotes.settings import ProviderSettings
from workers.quotes.twelvedata import open_twelvedata
from workers.quotes.yahoo import Yahoo


@pytest.fixture
async def second() -> AsyncIterator[StandIn]:
    async with running_stand_in() as second:
        yield second


def settings(exchange: Client, **more: Any) -> ProviderSettings:
    given = {"quotes_source": "sandbox", "yahoo_url": str(exchange.http.base_url), **more}
    return ProviderSettings.model_validate(given)


async def differences(checks: Iterator[tuple[str, Check]]) -> dict[str, str]:
    return {each.name: each.differs async for each in examine(checks) if each.differs}


async def test_a_provider_as_expected_is_well(
    exchange: Client, second: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    second.rows = {"AAPL": a_row(), "SAP:XETR": a_row("SAP", currency="EUR")}
    more = {
        "quotes_second": "twelvedata",
        "quotes_second_url": second.url,
        "quotes_second_key": KEY,
    }
    await run(settings(exchange, **more))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert all(line.startswith("ok  ") for line in lines[:8])
    assert KEY not in "".join(lines)


@pytest.mark.parametrize(
    ("symbol", "fault", "reported"),
    [
        ("AAPL", {"kind": "null_currency"}, "no currency"),
        ("VOD.L", {"kind": "currency", "value": "GBP"}, "it is in GBP, quoted in GBP"),
        ("QNT9NOBODYS", {"kind": "status", "status": 500}, "UnavailableError: status 500"),
        ("SAP.DE", {"kind": "truncated"}, "MalformedError: no JSON"),
        ("AAPL", {"kind": "html"}, "UnavailableError"),
        ("AAPL", {"kind": "rate_limited"}, "it asks us to stop; no more checks were made"),
    ],
    ids=str,
)
async def test_what_is_not_as_expected_is_said(
    exchange: Client, yahoo: Yahoo, symbol: str, fault: dict[str, Any], reported: str
) -> None:
    await exchange.fault(symbol, fault)
    found = await differences(checks_of_yahoo(yahoo))
    assert any(reported in each for each in found.values()), found
    if fault["kind"] == "rate_limited":
        assert (await exchange.log())["counters"]["endpoints"] == {"chart": 1}


async def test_an_old_price_is_said_to_be_old(exchange: Client, yahoo: Yahoo) -> None:
    await exchange.clock("2026-03-02T12:00:00+01:00")
    found = await differences(checks_of_yahoo(yahoo))
    assert found["a chart of one symbol"].startswith("it is of 2026-0")


async def test_a_key_that_is_not_taken_is_said(second: StandIn) -> None:
    async with open_twelvedata(second.url, "another") as provider:
        found = await differences(checks_of_second(provider))
    assert set(found.values()) == {"MalformedError: error 401"}
    second.reply = JSONResponse(an_error(429))
    async with open_twelvedata(second.url, KEY) as provider:
        found = await differences(checks_of_second(provider))
    assert list(found.values()) == ["it asks us to stop; no more checks were made"]


@pytest.mark.parametrize(
    ("url", "code"), [("http://127.0.0.1:1", 1), ("not a url", 2)], ids=["nobody there", "no url"]
)
def test_the_command_says_by_its_exit_code_how_it_went(url: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "operations.cli", "quotes", "doctor", "--url", url],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert ("differs  a chart of one symbol" in done.stdout) is (code == 1)
    assert "Traceback" not in done.stderr
