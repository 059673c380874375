"""One client's stream: where it is, what it has seen, and the frames that it is sent."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from gateway.stream.catch_up import CatchUp, LostError, Missed
from gateway.stream.events import Event, change_of, displayed
from gateway.stream.frames import ending, frame, heartbeat, opening
from gateway.stream.hub import Hub, Subscription, Update
from gateway.stream.positions import Position, Positions

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
RENEW_SECONDS = 60.0
"""How often what is not fresh of the watchlist is asked for while somebody listens."""
DRAINING_RETRY_MS = 1_000
FRAMES_AT_ONCE = 64

Quotes = dict[str, dict[str, Any] | None]
"""The quote of each symbol; None where none is known."""

Latest = Callable[[Collection[str]], Awaitable[Quotes]]


class Feed:
    """Frames for one subscription, from `position` on."""

    def __init__(
        self,
        *,
        hub: Hub,
        catch_up: CatchUp,
        positions: Positions,
        latest: Latest,
        subscription: Subscription,
        position: Position,
    ) -> None:
        self._hub = hub
        self._catch_up = catch_up
        self._positions = positions
        self._latest = latest
        self._subscription = subscription
        self._position = position
        self._seen: dict[str, tuple[datetime, str]] = {}

    async def frames(
        self, quotes: Quotes, found: Missed, lost: str | None
    ) -> AsyncGenerator[bytes, None]:
        """Until the subscription is ended; then why."""
        subscription = self._subscription
        yield opening(self._at())
        yield self._snapshot(quotes)
        if lost is None:
            try:
                async with aclosing(self._missed(found)) as frames:
                    async for each in frames:
                        yield each
            except LostError as error:
                lost = str(error)
            except (KafkaError, OSError) as error:
                log.warning("catching_up_failed", error=type(error).__name__)
                subscription.end("try-again")
        if lost:
            self._position = subscription.start
            yield frame("reset", {"reason": lost}, position=self._at())
        async for each in self._live():
            yield each
        reason = subscription.ended or "try-again"
        yield ending(reason, DRAINING_RETRY_MS if reason == "draining" else None)

    async def _missed(self, found: Missed) -> AsyncGenerator[bytes, None]:
        """What came before. The stream may be ended at any time, also while others are read for."""
        subscription, loop = self._subscription, asyncio.get_running_loop()
        reading = asyncio.ensure_future(self._catch_up.events(found, subscription.key))
        reading.add_done_callback(lambda _: subscription.woken.set())
        try:
            beat_at = loop.time() + HEARTBEAT_SECONDS
            while not reading.done() and subscription.ended is None:
                if loop.time() >= beat_at:
                    beat_at = loop.time() + HEARTBEAT_SECONDS
                    yield heartbeat(self._at())
                else:
                    await self._sleep(beat_at)
            for event in reading.result() if reading.done() else ():
                if subscription.ended is None:
                    yield await self._own(event)
        finally:
            reading.cancel()

    async def _live(self) -> AsyncGenerator[bytes, None]:
        subscription, loop = self._subscription, asyncio.get_running_loop()
        beat_at, renew_at = loop.time() + HEARTBEAT_SECONDS, loop.time() + RENEW_SECONDS
        while subscription.ended is None:
            if frames := await self._waiting():
                yield frames
            elif loop.time() >= renew_at:
                renew_at = loop.time() + RENEW_SECONDS
                await self._latest(list(subscription.symbols))
            elif loop.time() >= beat_at:
                beat_at = loop.time() + HEARTBEAT_SECONDS
                self._position = self._position.or_later(self._hub.position(subscription.principal))
                yield heartbeat(self._at())
            else:
                await self._sleep(min(beat_at, renew_at))

    async def _sleep(self, until: float) -> None:
        """Or less, when something has come."""
        self._subscription.woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._subscription.woken.wait()

    async def _waiting(self) -> bytes:
        """What has come, a bounded lot of it."""
        waiting = self._subscription.waiting
        frames: list[bytes] = []
        while waiting and len(frames) < FRAMES_AT_ONCE:
            what = waiting.popleft()
            frames.append(await self._own(what) if isinstance(what, Event) else self._price(what))
        return b"".join(frames)

    async def _own(self, event: Event) -> bytes:
        """Nothing for what this client has had already, from another process perhaps."""
        if event.offset < self._position.of(event.topic):
            return b""
        self._position = self._position.after(event.topic, event.offset)
        sent = frame("own", displayed(event), position=self._at())
        if event.offset < self._subscription.start.of(event.topic):
            return sent  # the watchlist was read later than this happened
        change = change_of(event)
        if change is None:
            return sent
        if not change.followed:
            self._hub.unfollow(self._subscription, change.symbol)
        elif change.symbol not in self._subscription.symbols:
            self._hub.follow(self._subscription, [change.symbol])
            sent += self._snapshot(await self._latest([change.symbol]))
        return sent

    def _price(self, update: Update) -> bytes:
        """Nothing for a price that is shown already: a snapshot may be ahead of its event."""
        quote = update.quote
        seen = self._seen.get(quote.symbol)
        now = (quote.as_of, quote.price)
        if quote.symbol not in self._subscription.symbols:
            return b""
        if seen and (now == seen or quote.as_of < seen[0]):
            return b""
        self._seen[quote.symbol] = now
        return update.frame

    def _snapshot(self, quotes: Quotes) -> bytes:
        for symbol, quote in quotes.items():
            if quote:
                self._seen[symbol] = datetime.fromisoformat(quote["as_of"]), quote["price"]
        return frame("snapshot", {"quotes": quotes})

    def _at(self) -> str:
        return self._positions.to_text(self._position, self._subscription.principal.user_id)
