"""The streams of this process: opened for a request, ended by sign-out, expiry and draining."""

import asyncio
from collections.abc import Callable, Collection

from gateway import queries
from gateway.context import RequestContext
from gateway.http.response import EventStream
from gateway.problems import ProblemError
from gateway.quotes.lookup import Quotes
from gateway.settings import GatewaySettings
from gateway.stream.catch_up import CatchUp, LostError, Missed, missed
from gateway.stream.event_reader import watch
from gateway.stream.feed import Feed
from gateway.stream.feed import Quotes as LatestQuotes
from gateway.stream.hub import Hub, Subscription
from gateway.stream.positions import Position, Positions
from infra.postgres.reads import Readable
from infra.runtime.clock import CLOCK
from infra.security.access_tokens import Principal

LOOK_SECONDS = 0.5


class Streams:
    """Opens streams; its loops feed and end them."""

    def __init__(self, settings: GatewaySettings, pool: Readable, quotes: Quotes) -> None:
        self._settings = settings
        self._pool = pool
        self._quotes = quotes
        self._hub = Hub(most=settings.streams_most, most_of_one=settings.streams_of_a_user)
        self._positions = Positions(settings.gateway_key)
        self._catch_up = CatchUp(settings, client_id=settings.instance)

    @property
    def problem(self) -> str | None:
        """Why no stream can be opened yet after a start. A later outage keeps nobody else out."""
        return None if self._hub.has_been_ready else "event topics are not read yet"

    async def open(self, context: RequestContext, last_event_id: str) -> EventStream:
        """Raises `ProblemError`."""
        subscription = self._hub.join(context.caller)
        try:
            position, found, lost = self._place(subscription, last_event_id)
            rows = await queries.watchlist(self._pool, context.caller.user_id)
            symbols = [row["symbol"] for row in rows]
            self._hub.follow(subscription, symbols)
            quotes = await self._latest(context, symbols)
        except BaseException:
            self._hub.leave(subscription)
            raise

        async def latest(symbols: Collection[str]) -> LatestQuotes:
            return await self._latest(context, symbols)

        feed = Feed(
            hub=self._hub,
            catch_up=self._catch_up,
            positions=self._positions,
            latest=latest,
            subscription=subscription,
            position=position,
        )
        frames = feed.frames(quotes, found, lost)
        return EventStream(frames, lambda: self._hub.leave(subscription))

    async def watch(self) -> None:
        """Read what there is to tell, for ever."""
        await watch(self._settings, self._hub, client_id=self._settings.instance)

    async def end_with_sessions(self, current: Callable[[Principal], Principal]) -> None:
        """Look often who may still hear, for ever. `current` raises `ProblemError`."""

        def reason_for(principal: Principal) -> str | None:
            if principal.expires_at <= CLOCK.time():
                return "token-expired"
            try:
                current(principal)
            except ProblemError as error:
                return "session-ended" if error.code == "unauthenticated" else None
            return None

        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._hub.end_where(reason_for)

    async def end_at(self, draining: asyncio.Event) -> None:
        """At once: nobody would end a stream by itself."""
        await draining.wait()
        self._hub.draining = True
        self._hub.end_all("draining")

    def _place(
        self, subscription: Subscription, last_event_id: str
    ) -> tuple[Position, Missed, str | None]:
        """Where to begin, what was missed until then, or why that cannot be delivered."""
        if not last_event_id:
            return subscription.start, Missed(), None
        since = self._positions.from_text(last_event_id, subscription.principal.user_id)
        if since is None:
            return subscription.start, Missed(), "position-unknown"
        try:
            return since, missed(self._hub, subscription, since), None
        except LostError as error:
            return subscription.start, Missed(), str(error)

    async def _latest(self, context: RequestContext, symbols: Collection[str]) -> LatestQuotes:
        """What is known of these right now; what is not fresh is renewed behind it."""
        found = await self._quotes.many(context, list(symbols))
        return {symbol: found.get(symbol) for symbol in symbols}
