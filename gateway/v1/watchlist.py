"""The symbols that the caller follows."""

from contracts.commands import AddToWatchlist, RemoveFromWatchlist, ReorderWatchlist
from contracts.outcomes import Succeeded
from contracts.values import WATCHLIST_LIMITS, Tier
from gateway import queries
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import AccessLevel, Answer, Endpoint, Link
from gateway.rate_limit.policies import READ, WRITE
from gateway.v1.models import ItemSaved, NoteBody, OrderBody, Ordered, Pending, Watchlist
from gateway.v1.symbols import symbol_asked_for, symbol_of, unknown_symbols


async def show(call: Call, deps: GatewayDeps) -> Answer:
    rows = await queries.watchlist(deps.pool, call.caller.user_id)
    quotes = await deps.quotes.many(call.context, [row["symbol"] for row in rows])
    items = [
        {
            "position": position,
            "symbol": row["symbol"],
            "note": row["note"],
            "added_at": row["added_at"],
            "quote": quotes.get(row["symbol"]),
        }
        for position, row in enumerate(rows)
    ]
    return Answer(200, {"items": items, "limit": WATCHLIST_LIMITS[Tier(call.caller.tier)]})


async def put(call: Call, deps: GatewayDeps) -> Answer:
    """Refuses a symbol that no provider has. Accepts it when no provider answers."""
    symbol, user = await symbol_asked_for(call, deps), str(call.caller.user_id)
    intent = deps.commands.intent(call.context, user)
    if not await deps.quotes.exists(call.context, symbol):
        raise (await unknown_symbols(call, deps, [symbol]))[symbol]
    note = call.body(NoteBody).note
    encrypted = None if note is None else deps.commands.encrypted(intent, "note", note)
    command = AddToWatchlist(symbol=symbol, encrypted_note=encrypted)
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=user, answer=_saved
    )


async def delete(call: Call, deps: GatewayDeps) -> Answer:
    user = str(call.caller.user_id)
    command = RemoveFromWatchlist(symbol=symbol_of(call))
    intent = deps.commands.intent(call.context, user)
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=user, answer=_gone
    )


async def reorder(call: Call, deps: GatewayDeps) -> Answer:
    """A symbol that is not on the list is ignored: it may have been removed meanwhile."""
    user = str(call.caller.user_id)
    command = ReorderWatchlist(order=call.body(OrderBody).order)
    intent = deps.commands.intent(call.context, user)
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=user, answer=_ordered
    )


def _ordered(success: Succeeded) -> Answer:
    return Answer(200, success.result)


def _saved(success: Succeeded) -> Answer:
    return Answer(201 if success.created else 200, success.result)


def _gone(_: Succeeded) -> Answer:
    return Answer(204)


_SYMBOL = "/api/v1/watchlist/{symbol}"

ENDPOINTS = (
    Endpoint(
        "PUT",
        _SYMBOL,
        put,
        "Add a symbol to the watchlist, or change its note",
        {200: ItemSaved, 201: ItemSaved, 202: Pending},
        problems=("unknown-symbol", "watchlist-full", "unknown-user"),
        links=(Link("watchlist_delete", {"symbol": "$request.path.symbol"}),),
        access=AccessLevel.VERIFIED,
        body=NoteBody,
        body_optional=True,
        command=True,
        limits=WRITE,
    ),
    Endpoint(
        "DELETE",
        _SYMBOL,
        delete,
        "Remove a symbol from the watchlist",
        {202: Pending, 204: None},
        problems=("unknown-symbol", "unknown-user"),
        access=AccessLevel.VERIFIED,
        command=True,
        limits=WRITE,
    ),
    Endpoint(
        "PATCH",
        "/api/v1/watchlist",
        reorder,
        "Change the order of the watchlist",
        {200: Ordered, 202: Pending},
        problems=("unknown-user",),
        access=AccessLevel.VERIFIED,
        body=OrderBody,
        command=True,
        limits=WRITE,
    ),
    Endpoint(
        "GET",
        "/api/v1/watchlist",
        show,
        "The watchlist with quotes",
        {200: Watchlist},
        access=AccessLevel.VERIFIED,
        limits=READ,
    ),
)
