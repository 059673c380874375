"""`python -m workers.quotes.doctor`: asks the configured hosts and says what is not as expected.

A provider that nobody guarantees may change any day: run this when quotes go stale, or before a
release. It makes ten calls, stores nothing and prints one line for each.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain

from infra.resilience.policies import RateLimitedError
from infra.runtime.settings import SettingsError, load
from workers.quotes.provider import (
    Answer,
    Found,
    LeftOut,
    MalformedError,
    NotFound,
    Provider,
    UnavailableError,
)
from workers.quotes.settings import ProviderSettings
from workers.quotes.twelvedata import open_twelvedata
from workers.quotes.yahoo import Yahoo, open_yahoo

NOBODYS = "QNT9NOBODYS"
OLD = timedelta(days=7)

Check = Callable[[], Awaitable[str | None]]
"""What differs from what the adapter relies on; None when nothing does."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and how it went."""

    name: str
    differs: str | None

    def __str__(self) -> str:
        return f"differs  {self.name}: {self.differs}" if self.differs else f"ok       {self.name}"


async def examine(checks: Iterator[tuple[str, Check]]) -> AsyncIterator[Finding]:
    """One after the other; a provider that asks to stop is not asked any more."""
    for name, check in checks:
        try:
            yield Finding(name, await check())
        except RateLimitedError:
            yield Finding(name, "it asks us to stop; no more checks were made")
            return
        except (UnavailableError, MalformedError) as error:
            yield Finding(name, f"{type(error).__name__}: {error}")


def checks_of_yahoo(yahoo: Yahoo) -> Iterator[tuple[str, Check]]:
    """What the adapter relies on."""

    async def a_share() -> str | None:
        return _no_quote((await yahoo.quotes(["AAPL"]))["AAPL"], "USD", "USD")

    async def pence() -> str | None:
        return _no_quote((await yahoo.quotes(["VOD.L"]))["VOD.L"], "GBP", "GBp")

    async def nobodys() -> str | None:
        answer = (await yahoo.quotes([NOBODYS]))[NOBODYS]
        return None if answer == NotFound() else f"{answer}"

    async def together() -> str | None:
        answers = await yahoo.quotes(["AAPL", NOBODYS, "SAP.DE"])
        if answers[NOBODYS] != LeftOut():
            return f"an unknown symbol is not left out: {answers[NOBODYS]}"
        return _no_quote(answers["AAPL"], "USD", "USD") or _no_quote(answers["SAP.DE"], "EUR")

    async def too_many() -> str | None:
        try:
            await yahoo.quotes([f"{NOBODYS}{n}" for n in range(yahoo.most + 1)])
        except MalformedError:
            return None
        return "more symbols than we ask for at once are taken, too: calls could be fewer"

    async def splits() -> str | None:
        await yahoo.splits("AAPL")
        return None

    yield "a chart of one symbol", a_share
    yield "pence are told apart from pounds", pence
    yield "a symbol that nobody has", nobodys
    yield "a spark of several symbols", together
    yield f"a spark of more than {yahoo.most} is refused", too_many
    yield "splits in a chart", splits


def checks_of_search(yahoo: Yahoo) -> Iterator[tuple[str, Check]]:
    async def by_name() -> str | None:
        hits = await yahoo.search("SAP SE")
        return None if any(hit.symbol == "SAP.DE" for hit in hits) else f"found {hits}"

    async def by_isin() -> str | None:
        hits = await yahoo.search("DE0007164600")
        return None if any(hit.symbol.startswith("SAP") for hit in hits) else f"found {hits}"

    yield "a search by name", by_name
    yield "a search by ISIN", by_isin


def checks_of_second(provider: Provider) -> Iterator[tuple[str, Check]]:
    async def a_share() -> str | None:
        return _no_quote((await provider.quotes(["AAPL"]))["AAPL"], "USD", "USD")

    async def together() -> str | None:
        answers = await provider.quotes(["AAPL", "SAP.DE"])
        return _no_quote(answers["AAPL"], "USD") or _no_quote(answers["SAP.DE"], "EUR")

    yield f"{provider.name}: one symbol", a_share
    yield f"{provider.name}: several symbols", together


def _no_quote(answer: Answer, currency: str, unit: str | None = None) -> str | None:
    match answer:
        case Found(quote=quote):
            if quote.currency != currency or (unit and quote.quoted_unit != unit):
                return f"it is in {quote.currency}, quoted in {quote.quoted_unit}"
            if datetime.now(UTC) - quote.as_of > OLD:
                return f"it is of {quote.as_of:%Y-%m-%d}"
            return None
    return f"{answer}"


async def run(settings: ProviderSettings) -> bool:
    """Prints what it finds. Whether all is as expected."""
    async with AsyncExitStack() as resources:
        timeouts, url = settings.timeouts, str(settings.yahoo_url)
        opened = open_yahoo(url, name=settings.quotes_source, timeouts=timeouts)
        yahoo = await resources.enter_async_context(opened)
        checks = [chain(checks_of_yahoo(yahoo), checks_of_search(yahoo))]
        if settings.second_key:
            second = open_twelvedata(
                str(settings.quotes_second_url), settings.second_key, timeouts=timeouts
            )
            checks.append(chain(checks_of_second(await resources.enter_async_context(second))))
        well = True
        for each in checks:
            async for finding in examine(each):
                sys.stdout.write(f"{finding}\n")
                well = well and not finding.differs
        return well


def main() -> None:
    try:
        settings = load(ProviderSettings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    raise SystemExit(0 if asyncio.run(run(settings)) else 1)


if __name__ == "__main__":
    main()
