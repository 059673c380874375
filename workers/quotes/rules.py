"""What is wanted, how long a quote is fresh, which price jump is held back. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from contracts.commands import LookUpHistory, LookUpQuote, Search
from contracts.history import HistoryKey, HistoryRange, PriceHistory
from contracts.quotes import MarketState, Quote, StaleReason
from contracts.securities import Candidate, CheckDigitError, Identified, Match, identified
from contracts.text import folded
from contracts.values import is_symbol
from infra.messaging.inbound import InboundMessage

FRESH_SECONDS = {"regular": 60.0, "pre": 180.0, "post": 180.0, "closed": 1_800.0}
HISTORY_FRESH_SECONDS: dict[HistoryRange, float] = {"1d": 60.0, "5d": 300.0}
LONG_HISTORY_FRESH_SECONDS = 900.0
UNKNOWN_FRESH = timedelta(minutes=15)
ROW_FRESH = timedelta(seconds=60)
JITTER = 0.1
MAX_LOOK_UPS = timedelta(seconds=8)

FAILED_HOLD = timedelta(seconds=2)
"""So long a symbol is not asked for again when its provider failed: others may be."""
OPEN_HOLD = timedelta(seconds=5)
NO_PRICE_HOLD = timedelta(seconds=60)

MAX_JUMP = 50
LEAP_SINCE = timedelta(days=7)
"""A price older than this is no measure of a new one."""
_ROUGHLY = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of a search. What the provider does not say is None."""

    symbol: str
    name: str
    exchange: str | None
    type: str | None
    score: float


Asker = InboundMessage[LookUpQuote] | InboundMessage[LookUpHistory] | InboundMessage[Search]


def wanted(batch: Iterable[Asker], now: datetime) -> dict[str, list[Asker]]:
    """Who asks for each symbol or text, without those for which nobody waits any more."""
    asked: dict[str, list[Asker]] = {}
    for asker in batch:
        asked.setdefault(_subject(asker), []).append(asker)
    return {subject: askers for subject, askers in asked.items() if waits_until(askers, now) > now}


def _subject(asker: Asker) -> str:
    match asker.data:
        case LookUpQuote(symbol=symbol):
            return symbol
        case LookUpHistory() as data:
            return history_key(data).text
        case Search(text=text):
            return sought(text).subject


def history_key(data: LookUpHistory) -> HistoryKey:
    """Which history a command is about."""
    return HistoryKey(data.symbol, data.range, data.detail)


def sought(text: str) -> Identified:
    """The kind of identifier a text has. The gateway refuses ISINs with a wrong check digit."""
    try:
        return identified(text)
    except CheckDigitError:
        return Identified("text", folded(text))


def waits_until(askers: Iterable[Asker], now: datetime) -> datetime:
    """When the last of them has gone; who names no deadline waits as long as anybody may."""
    most = now + MAX_LOOK_UPS
    return min(most, max(asker.envelope.deadline or most for asker in askers))


@dataclass(frozen=True, slots=True)
class Hours:
    """The trading day that is on, or the next one."""

    pre: datetime
    start: datetime
    end: datetime
    post: datetime

    def state(self, now: datetime) -> MarketState:
        """Return where in its trading day the market is at this time."""
        if self.start <= now < self.end:
            return "regular"
        if self.pre <= now < self.start:
            return "pre"
        return "post" if self.end <= now < self.post else "closed"

    def opens_after(self, now: datetime) -> datetime | None:
        """When the market stirs next, if these hours tell."""
        return self.pre if now < self.pre else None


def fresh_until(quote: Quote, hours: Hours | None, now: datetime, jitter: float) -> datetime:
    """A closed market's price lasts until it opens. `jitter` is between -1 and 1.

    Without hours nothing is known of the market: as if it were open.
    """
    seconds = FRESH_SECONDS[quote.market_state if hours else "regular"]
    until = now + timedelta(seconds=seconds * (1 + JITTER * jitter))
    opens = hours.opens_after(now) if hours else None
    return min(until, opens) if opens else until


def history_fresh_until(
    history: PriceHistory, hours: Hours | None, now: datetime, jitter: float
) -> datetime:
    """When the newest bar may have changed. While the market is closed, it does not change."""
    seconds = HISTORY_FRESH_SECONDS.get(history.range, LONG_HISTORY_FRESH_SECONDS)
    if hours and hours.state(now) == "closed":
        seconds = max(seconds, FRESH_SECONDS["closed"])
    until = now + timedelta(seconds=seconds * (1 + JITTER * jitter))
    opens = hours.opens_after(now) if hours else None
    return min(until, opens) if opens else until


def price_contradicts(quote: Quote, history: PriceHistory) -> bool:
    """Whether the newest close cannot be of the symbol's last price: pence taken for pounds."""
    close = next((p.close for p in reversed(history.points) if p.close is not None), None)
    if close is None or history.fetched_at - quote.fetched_at > LEAP_SINCE:
        return False
    times = Decimal(close) / Decimal(quote.price)
    return history.currency == quote.currency and (times >= MAX_JUMP or times * MAX_JUMP <= 1)


def held_until(reason: StaleReason, open_until: datetime | None, now: datetime) -> datetime:
    """When a symbol without a quote may be asked for again."""
    if reason in ("circuit_open", "rate_limited"):
        return min(open_until or now, now + OPEN_HOLD)
    return now + FAILED_HOLD


def price_jump(last: Quote, quote: Quote) -> Decimal | None:
    """How many times the last price the new one is, where that is hard to believe.

    Pence taken for pounds are a hundred times: what is exact to the unit is no jump.
    """
    if quote.fetched_at - last.fetched_at > LEAP_SINCE:
        return None
    times = Decimal(quote.price) / Decimal(last.price)
    return times if times >= MAX_JUMP or times * MAX_JUMP <= 1 else None


def is_explained(times: Decimal, splits: Iterable[Decimal]) -> bool:
    """Whether one of the splits accounts for the jump, roughly: prices move as well."""
    return any(1 <= times * split * _ROUGHLY <= _ROUGHLY * _ROUGHLY for split in splits)


@dataclass(frozen=True, slots=True)
class Hits:
    """What searches found, by how it was asked: under an ISIN, a WKN, or a text as it stands.

    `spelling` is what else a symbol may be that the text is, as providers write it.
    """

    by_isin: Sequence[Hit] = ()
    isin: str | None = None
    by_wkn: Sequence[Hit] = ()
    by_text: Sequence[Hit] = ()
    spelling: str | None = None


_LIKELY: dict[Match, int] = {"wkn": 2, "symbol": 3, "name": 4}


def as_candidates(text: str, hits: Hits) -> list[Candidate]:
    """Each symbol once, the likeliest first: the very symbol, then number, symbol, name."""
    found: dict[str, tuple[tuple[int, float, str], Candidate]] = {}
    for hit, match, isin in _matches(text, hits):
        if hit.symbol in found or not is_symbol(hit.symbol):
            continue
        likely = 1 if isin else _LIKELY[match]
        if hit.symbol in {text, hits.spelling}:
            likely = 0
        candidate = Candidate(
            symbol=hit.symbol,
            name=hit.name,
            exchange=hit.exchange,
            currency=None,
            type=hit.type,
            isin=isin,
            match=match,
        )
        found[hit.symbol] = ((likely, -hit.score, hit.symbol), candidate)
    return [candidate for _, candidate in sorted(found.values(), key=lambda each: each[0])]


def _matches(text: str, hits: Hits) -> Iterator[tuple[Hit, Match, str | None]]:
    """Each hit with what of it the text is, and the ISIN under which it was found."""
    for hit in hits.by_isin:
        yield hit, "isin" if text == hits.isin else "wkn", hits.isin
    for hit in hits.by_wkn:
        yield hit, "symbol" if hit.symbol.startswith(text) else "wkn", None
    for hit in hits.by_text:
        of_symbol = hit.symbol.startswith(text) or hit.symbol == hits.spelling
        yield hit, "symbol" if of_symbol else "name", None


class Throttle:
    """What was done lately, by key, so that it is not done again so soon. Bounded."""

    def __init__(self, every: timedelta, *, most: int = 10_000) -> None:
        self._every = every
        self._most = most
        self._done: dict[object, datetime] = {}

    def is_due(self, key: object, now: datetime) -> bool:
        """Whether it was not done for so long that it may be done again."""
        done = self._done.get(key)
        return done is None or now - done >= self._every

    def mark(self, key: object, now: datetime) -> None:
        """Done now; the oldest is forgotten when there are too many."""
        self._done.pop(key, None)
        self._done[key] = now
        if len(self._done) > self._most:
            del self._done[next(iter(self._done))]
