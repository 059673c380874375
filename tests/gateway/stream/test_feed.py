"""What one client is sent."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from aiokafka.errors import KafkaConnectionError

from contracts.events import QuoteUpdated
from gateway.stream import feed as feeds
from gateway.stream.catch_up import MAX_READ_EVENTS, CatchUp, LostError, Missed, missed
from gateway.stream.events import Event
from gateway.stream.feed import Feed, Quotes
from gateway.stream.hub import Hub
from gateway.stream.positions import Position, Positions
from tests.support.gateway.stream_builders import (
    START,
    Log,
    a_hub,
    a_price,
    a_principal,
    added,
    take,
)
from tests.support.gateway.stream_builders import removed as removed_

QUOTE = {"price": "1.5", "as_of": "2026-11-03T09:07:00Z"}


class Slow(CatchUp):
    """Reads for as long as it is let."""

    def __init__(self) -> None:
        self.found: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()

    async def events(self, found: Missed, key: bytes) -> list[Event]:  # noqa: ARG002  the base's
        return await self.found


@dataclass
class Listener:
    """A client on a hub of its own, whose quotes are all the same."""

    hub: Hub = field(default_factory=a_hub)
    log: Log = field(default_factory=Log)
    catch_up: CatchUp = field(default_factory=lambda: CatchUp(cast("Any", None), client_id="test"))
    asked: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.principal = a_principal()
        self.positions = Positions(b"k" * 32)

    @property
    def user(self) -> UUID:
        return self.principal.user_id

    def open(
        self, since: Position | None = None, *, lost: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        self.subscription = self.hub.join(self.principal)
        self.hub.follow(self.subscription, ["SAP.DE"])
        found = missed(self.hub, self.subscription, since) if since else Missed()
        feed = Feed(
            hub=self.hub,
            catch_up=self.catch_up,
            positions=self.positions,
            latest=self.latest,
            subscription=self.subscription,
            position=since or self.subscription.start,
        )
        return feed.frames({"SAP.DE": QUOTE}, found, lost)

    async def latest(self, symbols: Collection[str]) -> Quotes:
        self.asked.append(list(symbols))
        return dict.fromkeys(symbols, QUOTE)

    def happens(self, *symbols: str) -> None:
        for symbol in symbols:
            take(self.hub, self.log.record(added(self.user, symbol), str(self.user)))

    def prices(self, *events: QuoteUpdated) -> None:
        for event in events:
            take(self.hub, self.log.record(event, event.symbol))

    def position(self, text: str) -> Position:
        found = self.positions.from_text(text, self.user)
        assert found
        return found

    async def remaining(self, frames: AsyncGenerator[bytes, None]) -> list[tuple[str, Any]]:
        """All that is sent by now, as (event, data)."""
        self.subscription.woken.set()
        asyncio.get_running_loop().call_later(0.05, self.subscription.end, "draining")
        blocks = b"".join([frame async for frame in frames]).decode().split("\n\n")
        return [parsed for block in blocks if (parsed := self.parsed(block))]

    @staticmethod
    def parsed(block: str) -> tuple[str, Any] | None:
        lines = dict(line.partition(": ")[::2] for line in block.splitlines())
        return (lines["event"], orjson.loads(lines["data"])) if "data" in lines else None


async def test_a_stream_begins_with_a_position_and_a_snapshot_and_says_why_it_ends() -> None:
    listener = Listener()
    frames = listener.open()
    first = (await anext(frames)).decode()
    retry, id_ = first.strip().splitlines()
    assert retry == "retry: 2000"
    assert listener.position(id_.removeprefix("id: ")) == listener.subscription.start
    assert await listener.remaining(frames) == [
        ("snapshot", {"quotes": {"SAP.DE": QUOTE}}),
        ("end", {"reason": "draining"}),
    ]


async def test_who_comes_back_is_sent_what_was_missed_and_then_what_happens() -> None:
    listener = Listener()
    since = listener.hub.position(listener.principal)
    listener.happens("AAPL", "MSFT")
    frames = listener.open(since)
    listener.happens("VOD.L")
    sent = await listener.remaining(frames)
    assert [d["data"]["symbol"] for kind, d in sent if kind == "own"] == ["AAPL", "MSFT", "VOD.L"]
    assert listener.asked == [["VOD.L"]], "the watchlist was read after the others"


async def test_who_signs_out_is_sent_nothing_more_of_what_was_missed() -> None:
    listener = Listener()
    since = listener.hub.position(listener.principal)
    listener.happens("AAPL", "MSFT", "VOD.L")
    frames = listener.open(since)
    for _ in range(3):
        await anext(frames)
    listener.subscription.end("session-ended")
    assert await listener.remaining(frames) == [("end", {"reason": "session-ended"})]


@pytest.mark.parametrize("reason", ["session-ended", "draining"])
async def test_a_stream_that_catches_up_is_ended_at_once(reason: str) -> None:
    slow = Slow()
    listener = Listener(catch_up=slow)
    frames = listener.open(listener.hub.position(listener.principal))
    for _ in range(2):
        await anext(frames)
    ending = asyncio.create_task(anext(frames))
    await asyncio.sleep(0)
    listener.subscription.end(reason)
    async with asyncio.timeout(1):
        assert f'{{"reason":"{reason}"}}' in (await ending).decode()
    assert slow.found.cancelled(), "nobody waits for it any more"


async def test_a_stream_that_is_cut_off_while_it_catches_up_reads_no_further() -> None:
    slow = Slow()
    listener = Listener(catch_up=slow)
    frames = listener.open(listener.hub.position(listener.principal))
    for _ in range(2):
        await anext(frames)
    waiting = asyncio.create_task(anext(frames))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert slow.found.cancelled()


async def test_a_stream_that_catches_up_is_seen_to_live_and_goes_on_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "HEARTBEAT_SECONDS", 0.01)
    slow = Slow()
    listener = Listener(catch_up=slow)
    since = listener.hub.position(listener.principal)
    listener.happens("AAPL")
    frames = listener.open(since)
    listener.happens("MSFT")
    for _ in range(2):
        await anext(frames)
    for _ in range(3):
        beat = (await anext(frames)).decode()
        assert beat.startswith(":\nid: ")
        assert listener.position(beat.split()[-1]) == since, "nothing is skipped"
    missed_ = missed(listener.hub, listener.subscription, since)
    slow.found.set_result([event for of_topic in missed_.known for event in of_topic])
    sent = await listener.remaining(frames)
    assert [d["data"]["symbol"] for kind, d in sent if kind == "own"] == ["AAPL", "MSFT"]


@pytest.mark.parametrize("error", [TimeoutError(), KafkaConnectionError()])
async def test_what_cannot_be_read_is_asked_for_again(error: Exception) -> None:
    slow = Slow()
    listener = Listener(catch_up=slow)
    slow.found.set_exception(error)
    sent = await listener.remaining(listener.open(listener.hub.position(listener.principal)))
    assert sent[1:] == [("end", {"reason": "try-again"})]


async def test_what_another_gateway_has_reported_is_not_reported_again() -> None:
    listener = Listener()
    ahead = Position(START, START + 2)
    frames = listener.open()
    feed_position = listener.positions.to_text(ahead, listener.user)
    assert listener.position(feed_position) == ahead
    await frames.aclose()
    listener.hub.leave(listener.subscription)
    subscription = listener.hub.join(listener.principal)
    feed = Feed(
        hub=listener.hub,
        catch_up=listener.catch_up,
        positions=listener.positions,
        latest=listener.latest,
        subscription=subscription,
        position=ahead,
    )
    listener.subscription = subscription
    frames = feed.frames({}, Missed(), None)
    listener.happens("AAPL", "MSFT", "VOD.L")
    sent = await listener.remaining(frames)
    assert [d["data"]["symbol"] for kind, d in sent if kind == "own"] == ["VOD.L"]


async def test_a_price_that_is_shown_already_or_older_is_not_sent() -> None:
    listener = Listener()
    frames = listener.open()
    listener.prices(a_price("1.4", 6), a_price("1.5", 7), a_price("1.6", 7), a_price("1.5", 8))
    sent = await listener.remaining(frames)
    assert [d["price"] for kind, d in sent if kind == "quote"] == ["1.6", "1.5"]


async def test_an_added_symbol_is_followed_with_its_quote_and_a_removed_one_no_longer() -> None:
    listener = Listener()
    frames = listener.open()
    for _ in range(2):
        await anext(frames)
    listener.happens("AAPL")
    take(listener.hub, listener.log.record(removed_(listener.user), str(listener.user)))
    sent = (await anext(frames)).decode()
    assert '{"quotes":{"AAPL":' in sent
    listener.prices(a_price("9", 9), a_price("8", 9, "AAPL"))
    remaining = await listener.remaining(frames)
    assert [d["symbol"] for kind, d in remaining if kind == "quote"] == ["AAPL"]


async def test_a_heartbeat_moves_the_position_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "HEARTBEAT_SECONDS", 0.01)
    listener, other = Listener(), a_principal()
    frames = listener.open()
    for _ in range(2):
        await anext(frames)
    for history in listener.hub._histories.values():
        history.next += 7  # what happened to others
    beat = (await anext(frames)).decode()
    assert beat.startswith(":\nid: ")
    assert listener.position(beat.split()[-1]) == Position(START + 7, START + 7)
    assert listener.positions.from_text(beat.split()[-1], other.user_id) is None
    await frames.aclose()


async def test_what_is_followed_is_renewed_while_someone_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "RENEW_SECONDS", 0.01)
    listener = Listener()
    await listener.remaining(listener.open())
    assert listener.asked[0] == ["SAP.DE"]


async def test_a_lost_position_is_reset_to_now() -> None:
    listener = Listener()
    sent = await listener.remaining(listener.open(lost="position-unknown"))
    assert ("reset", {"reason": "position-unknown"}) in sent


async def test_a_position_of_long_ago_is_lost_and_one_of_lately_is_read() -> None:
    listener = Listener()
    for history in listener.hub._histories.values():
        history.begin = history.next = START + MAX_READ_EVENTS + 5
    subscription = listener.hub.join(listener.principal)
    with pytest.raises(LostError, match="position-too-old"):
        missed(listener.hub, subscription, Position(START, START))
    found = missed(listener.hub, subscription, Position(START + 5, START + 99))
    assert [span[1:] for span in found.unread] == [
        (START + 5, START + MAX_READ_EVENTS + 5),
        (START + 99, START + MAX_READ_EVENTS + 5),
    ]
