"""Who is to hear of what: each event goes to the streams of its user, each price to its followers.

No await in here: between finding a position and joining at it nothing can happen.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter, Gauge

from contracts.events import QuoteUpdated
from contracts.topics import QUOTES_EVENTS
from gateway.problems import ProblemError
from gateway.stream.events import Event, event_of, update_displayed, update_of
from gateway.stream.frames import frame
from gateway.stream.history import History
from gateway.stream.positions import Position, places_of
from infra.kafka.records import Place, Record
from infra.runtime.clock import CLOCK
from infra.security.access_tokens import Principal

log = structlog.get_logger(__name__)

MAX_WAITING_FRAMES = 1_000
"""So much may wait for one client; who is slower comes back and catches up."""
NEWS_SECONDS = 3_600.0
"""How old a record may be when it comes; a stream does not outlive such a time without Kafka."""

OPEN = Gauge("qnt9_gateway_streams", "Streams that are open")
ENDED = Counter(
    "qnt9_gateway_streams_ended_total", "Streams that were ended, by reason", ["reason"]
)


@dataclass(frozen=True, slots=True)
class Update:
    """A new price, rendered once for all who follow the symbol."""

    quote: QuoteUpdated
    frame: bytes


@dataclass(eq=False)
class Subscription:
    """One open stream: what waits for it, and why it is to end."""

    principal: Principal
    start: Position
    """Where the live feed joins: what is before is not offered."""
    waiting: deque[Event | Update] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    symbols: set[str] = field(default_factory=set)
    ended: str | None = None

    @property
    def key(self) -> bytes:
        return str(self.principal.user_id).encode()

    def offer(self, what: Event | Update) -> None:
        if len(self.waiting) >= MAX_WAITING_FRAMES:
            self.end("too-slow")
        elif self.ended is None:
            self.waiting.append(what)
            self.woken.set()

    def end(self, reason: str) -> None:
        if self.ended is None:
            self.ended = reason
            ENDED.labels(reason).inc()
            self.woken.set()


class Hub:
    """All streams of this process, and the last events of every partition."""

    def __init__(self, *, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._histories: dict[Place, History] = {}
        self._behind: dict[Place, int] = {}
        self._by_user: dict[bytes, set[Subscription]] = defaultdict(set)
        self._by_symbol: dict[str, set[Subscription]] = defaultdict(set)
        self._count = 0
        self.draining = False
        self.has_been_ready = False

    @property
    def ready(self) -> bool:
        """Every partition is being watched, and was read to where it ended at the start."""
        return bool(self._histories) and not self._behind

    def begin(self, starts: Mapping[Place, int], ends: Mapping[Place, int]) -> None:
        """Anew: who is connected has perhaps missed something, and comes back."""
        self.end_all("try-again")
        self._histories = {place: History(start) for place, start in starts.items()}
        self._behind = {place: ends[place] for place in ends if starts[place] < ends[place]}
        self.has_been_ready |= self.ready

    def stop(self) -> None:
        """Nothing is watched until `begin`."""
        self._histories = {}
        self.end_all("try-again")

    def take(self, place: Place, records: Iterable[Record]) -> None:
        """What has come in one partition, in order.

        A record from long ago is no news: an operator has filled in again what Kafka had lost.
        """
        oldest = (CLOCK.time() - NEWS_SECONDS) * 1_000
        history = self._histories[place]
        offer = self._offer_update if place[0] == QUOTES_EVENTS.name else self._offer_own
        for record in records:
            history.next = record.offset + 1
            event = event_of(record)
            if event and history.add(event) and event.timestamp > oldest:
                offer(event)
        if place in self._behind and history.next >= self._behind[place]:
            del self._behind[place]
            self.has_been_ready |= self.ready

    def join(self, principal: Principal) -> Subscription:
        """From now on, for this user. `leave` in the end. Raises `ProblemError`."""
        if self.draining:
            raise ProblemError("draining")
        if not self.ready or self._count >= self._most:
            raise ProblemError("try-again")
        key = str(principal.user_id).encode()
        if len(self._by_user.get(key, ())) >= self._most_of_one:
            raise ProblemError(
                "too-many-streams", f"At most {self._most_of_one} streams at a time."
            )
        subscription = Subscription(principal, self.position(principal))
        self._by_user[key].add(subscription)
        self._count += 1
        OPEN.set(self._count)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Also twice."""
        mine = self._by_user.get(subscription.key, set())
        if subscription not in mine:
            return
        mine.discard(subscription)
        if not mine:
            del self._by_user[subscription.key]
        for symbol in list(subscription.symbols):
            self.unfollow(subscription, symbol)
        self._count -= 1
        OPEN.set(self._count)

    def follow(self, subscription: Subscription, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            subscription.symbols.add(symbol)
            self._by_symbol[symbol].add(subscription)

    def unfollow(self, subscription: Subscription, symbol: str) -> None:
        subscription.symbols.discard(symbol)
        followers = self._by_symbol.get(symbol, set())
        followers.discard(subscription)
        if not followers:
            self._by_symbol.pop(symbol, None)

    def position(self, principal: Principal) -> Position:
        """What comes next for this user: everything before it was offered."""
        users, watchlists = places_of(principal.user_id)
        return Position(self._histories[users].next, self._histories[watchlists].next)

    def history(self, place: Place) -> History:
        return self._histories[place]

    def end_all(self, reason: str) -> None:
        for subscription in self._subscriptions():
            subscription.end(reason)

    def end_where(self, reason_for: Callable[[Principal], str | None]) -> None:
        """Those that may not go on: signed out, or the token has expired."""
        for subscription in self._subscriptions():
            if reason := reason_for(subscription.principal):
                subscription.end(reason)

    def _subscriptions(self) -> list[Subscription]:
        return [each for of_user in self._by_user.values() for each in of_user]

    def _offer_own(self, event: Event) -> None:
        for subscription in self._by_user.get(event.key, ()):
            subscription.offer(event)

    def _offer_update(self, event: Event) -> None:
        followers = self._by_symbol.get(event.key.decode(errors="replace"))
        if followers and (update := update_of(event)):
            offered = Update(update, frame("quote", update_displayed(update)))
            for subscription in followers:
                subscription.offer(offered)
