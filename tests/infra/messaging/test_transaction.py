import asyncio
from uuid import UUID

import asyncpg
import orjson
import pytest

from contracts.commands import AddToWatchlist
from contracts.events import (
    UserSignedOut,
    UserSigninFailed,
    WatchlistItemAdded,
    WatchlistItemRemoved,
)
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from contracts.personal import Personal
from infra.messaging.transaction import ConcurrentDeliveryError, Settled, Transactions
from tests.support.message_builders import A_CLIENT, a_personal_key, received
from tests.support.outbox import MemoryOutcomeNotifier, written_events
from tests.support.postgres import Database
from tests.support.waiting import until

USER = uuid7()
COMMAND = AddToWatchlist(symbol="AAPL")


@pytest.fixture
def outcome_notifier() -> MemoryOutcomeNotifier:
    return MemoryOutcomeNotifier()


@pytest.fixture
async def transactions(database: Database, outcome_notifier: MemoryOutcomeNotifier) -> Transactions:
    return Transactions(await database.pool("qnt9_watchlist"), "watchlist", outcome_notifier)


def added(symbol: str = "AAPL", user: UUID = USER) -> WatchlistItemAdded:
    return WatchlistItemAdded(user_id=user, symbol=symbol)


async def test_inbox_and_outbox_are_written_together_and_the_outcome_is_announced(
    transactions: Transactions, outcome_notifier: MemoryOutcomeNotifier, database: Database
) -> None:
    command = received(COMMAND, actor=USER, fingerprint="abc")
    async with transactions.begin() as tx:
        tx.emit(added(), about=USER, caused_by=command)
        tx.complete(command, Succeeded({"symbol": "AAPL"}, created=True))
        assert not outcome_notifier.announced
    [row] = await database.fetch("SELECT * FROM inbox")
    assert (row["message_id"], row["consumer"]) == (command.envelope.id, "watchlist")
    assert (row["actor_id"], row["fingerprint"]) == (USER, "abc")
    assert row["outcome"] == {"status": "succeeded", "result": {"symbol": "AAPL"}, "created": True}
    [announced] = outcome_notifier.announced
    assert announced.command_id == command.envelope.id
    [written] = await written_events(database)
    assert written.about == str(USER)


async def test_an_event_continues_the_trace_and_the_correlation_of_its_cause(
    transactions: Transactions, database: Database
) -> None:
    command = received(COMMAND, actor=USER)
    async with transactions.begin() as tx:
        event_id = tx.emit(added(), about=USER, caused_by=command)
    [written] = await written_events(database)
    assert written.headers["ce_id"] == str(event_id)
    assert written.headers["ce_correlationid"] == command.envelope.correlation_id
    assert written.headers["ce_causationid"] == str(command.envelope.id)
    assert written.headers["ce_actorid"] == str(USER)
    assert written.headers["ce_source"] == "urn:qnt9:watchlist"


async def test_an_event_says_who_asked_under_the_persons_key_alone(
    transactions: Transactions, database: Database
) -> None:
    key = a_personal_key(USER)
    event = WatchlistItemAdded(user_id=USER, symbol="AAPL", note=Personal("a note"))
    async with transactions.begin() as tx:
        tx.emit(event, about=USER, caused_by=received(COMMAND), key=key)
    [written] = await written_events(database)
    for clear in (A_CLIENT.ip, A_CLIENT.agent, "a note"):
        assert clear
        assert clear not in written.payload
    data = orjson.loads(written.payload)
    assert key.decrypt(data["client"]) == A_CLIENT.to_json()
    assert key.decrypt(data["note"]) == "a note"


async def test_without_a_key_no_client_is_written(database: Database) -> None:
    accounts = Transactions(await database.pool("qnt9_accounts"), "signin")
    async with accounts.begin() as tx:
        event = UserSigninFailed(reason="unknown_address")
        tx.emit(event, about="somebody", caused_by=received(COMMAND))
    [written] = await written_events(database)
    assert orjson.loads(written.payload)["client"] is None


async def test_a_failure_leaves_nothing_and_announces_nothing(
    transactions: Transactions, outcome_notifier: MemoryOutcomeNotifier, database: Database
) -> None:
    async def fails_at_the_end() -> None:
        async with transactions.begin() as tx:
            tx.emit(added(), about=USER)
            tx.complete(received(COMMAND), Succeeded())
            raise LookupError

    with pytest.raises(LookupError):
        await fails_at_the_end()
    assert not await database.fetch("SELECT FROM inbox")
    assert not await database.fetch("SELECT FROM outbox")
    assert not outcome_notifier.announced


async def test_a_message_settled_before_writes_nothing_again(
    transactions: Transactions, outcome_notifier: MemoryOutcomeNotifier, database: Database
) -> None:
    command = received(COMMAND)

    async def handle() -> None:
        async with transactions.begin() as tx:
            tx.emit(added(), about=USER, caused_by=command)
            tx.complete(command, Succeeded())

    await handle()
    with pytest.raises(ConcurrentDeliveryError):
        await handle()
    assert len(await database.fetch("SELECT FROM inbox")) == 1
    assert len(await database.fetch("SELECT FROM outbox")) == 1
    assert len(outcome_notifier.announced) == 1


async def test_of_two_deliveries_at_the_same_time_one_has_an_effect(
    transactions: Transactions, database: Database
) -> None:
    command = received(COMMAND)
    both_have_written = asyncio.Barrier(2)

    async def deliver() -> None:
        async with transactions.begin() as tx:
            tx.emit(added(), about=USER, caused_by=command)
            tx.complete(command, Succeeded())
            await both_have_written.wait()

    results = await asyncio.gather(deliver(), deliver(), return_exceptions=True)
    assert sorted(map(type, results), key=str) == [type(None), ConcurrentDeliveryError]
    assert len(await database.fetch("SELECT FROM inbox")) == 1
    assert len(await written_events(database)) == 1


async def test_another_consumer_handles_the_same_message_for_itself(
    transactions: Transactions, database: Database
) -> None:
    other = Transactions(await database.pool("qnt9_signup"), "signup")
    message = received(COMMAND)
    for each in (transactions, other):
        async with each.begin() as tx:
            tx.complete(message)
    assert len(await database.fetch("SELECT FROM inbox")) == 2


async def test_events_lie_in_the_outbox_in_the_order_they_were_emitted(
    transactions: Transactions, database: Database
) -> None:
    symbols = [f"X{n:04}.DE" for n in range(300)]
    async with transactions.begin() as tx:
        for symbol in symbols:
            tx.emit(added(symbol), about=USER)
        tx.emit(WatchlistItemRemoved(user_id=USER, symbol="X0000.DE"), about=USER)
    written = [each.event for each in await written_events(database)]
    assert [event.symbol for event in written[:-1] if isinstance(event, WatchlistItemAdded)] == (
        symbols
    )
    assert isinstance(written[-1], WatchlistItemRemoved)


async def test_the_relay_is_woken_once_a_transaction_and_at_its_end(
    transactions: Transactions, database: Database
) -> None:
    heard: list[object] = []
    listener = await asyncpg.connect(database.dsn("qnt9_relay"))
    try:
        await listener.add_listener("outbox", lambda *about: heard.append(about))
        async with transactions.begin() as tx:
            tx.emit(added("AAPL"), about=USER)
            tx.emit(added("MSFT"), about=USER)
            await listener.execute("SELECT 1")
            assert not heard
        await until(lambda: len(heard) == 1)
        async with transactions.begin() as tx:
            tx.complete(received(COMMAND))
        await listener.execute("SELECT 1")
        assert len(heard) == 1
    finally:
        await listener.close()


async def test_what_was_handled_is_found_and_announced_again_on_the_new_channel(
    transactions: Transactions, outcome_notifier: MemoryOutcomeNotifier
) -> None:
    first = received(COMMAND, actor=USER, fingerprint="abc", reply_to="one gateway")
    async with transactions.begin() as tx:
        tx.complete(first, Rejected("watchlist-full"))
    second = received(COMMAND, id=first.envelope.id, reply_to="another gateway")
    found = await transactions.handled([second, received(COMMAND)])
    assert found == {
        first.envelope.id: Settled(
            first.envelope.id, COMMAND.type, USER, "abc", Rejected("watchlist-full").to_json()
        )
    }
    await transactions.announce_again([(second, found[first.envelope.id])])
    assert [a.channel for a in outcome_notifier.announced] == ["one gateway", "another gateway"]
    assert outcome_notifier.announced[0].to_json() == outcome_notifier.announced[1].to_json()


async def test_a_parked_command_is_remembered_once(
    transactions: Transactions, database: Database
) -> None:
    envelope = received(COMMAND, actor=USER).envelope
    await transactions.mark_dead_lettered(envelope, "it broke")
    await transactions.mark_dead_lettered(envelope, "it broke again")
    [row] = await database.fetch("SELECT command_id, consumer, reason FROM parked_commands")
    assert row == {"command_id": envelope.id, "consumer": "watchlist", "reason": "it broke"}


async def test_message_handled_again_emits_the_same_event_ids(database: Database) -> None:
    command = received(COMMAND, actor=USER)
    failed = UserSigninFailed(reason="unknown_address")

    async def ids_of(consumer: str) -> list[UUID]:
        transactions = Transactions(await database.pool("qnt9_accounts"), consumer)
        async with transactions.begin() as tx:
            return [
                tx.emit(failed, about=USER, caused_by=command),
                tx.emit(failed, about=USER, caused_by=command),
                tx.emit(
                    UserSignedOut(user_id=USER, session_id="a session"),
                    about=USER,
                    caused_by=command,
                ),
                tx.emit(failed, about=uuid7(), caused_by=received(COMMAND)),
            ]

    names = ("accounts", "accounts", "passwords")
    first, again, other_place = [await ids_of(name) for name in names]
    assert first[:3] == again[:3]
    assert len({*first, *again, *other_place}) == 3 + 2 + 4
    assert {each.version for each in first} == {7}


async def test_event_without_a_cause_has_an_id_of_its_own(transactions: Transactions) -> None:
    given = uuid7()
    async with transactions.begin() as tx:
        ids = [tx.emit(added(), about=USER), tx.emit(added(), about=USER)]
        assert tx.emit(added(), about=USER, event_id=given) == given
    assert len({*ids, given}) == 3
