"""The SQL of watchlists, all of it set-based: one statement for a whole batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.personal import PersonalKey
from contracts.values import WATCHLIST_LIMITS, Tier, UserId
from infra.postgres.personal_data_keys import user_key_id
from infra.postgres.pool import Connection
from workers.watchlist.rules import Watchlist


@dataclass(frozen=True, slots=True)
class Owner:
    """A user's list as it stands, and the key of that user's personal data."""

    watchlist: Watchlist
    key: PersonalKey


async def lock_owners(conn: Connection, owners: Sequence[UserId]) -> list[UserId]:
    """Those of the owners that there are, locked in id order so that batches cannot deadlock."""
    rows = await conn.fetch(
        """
        SELECT id FROM users
         WHERE id = ANY($1) AND erased_at IS NULL
         ORDER BY id
           FOR NO KEY UPDATE
        """,
        owners,
    )
    return [row["id"] for row in rows]


async def read_owners(conn: Connection, asked: Sequence[tuple[UserId, str]]) -> dict[UserId, Owner]:
    """Of the lists of locked owners what is asked about, and how much else there is.

    A statement of its own, because one that waited for a lock sees the items as they were before.
    """
    rows = await conn.fetch(
        """
        WITH asked AS (
            SELECT user_id, array_agg(symbol) AS symbols
              FROM unnest($1::uuid[], $2::text[]) AS asked (user_id, symbol)
             GROUP BY user_id
        )
        SELECT users.id, tier, personal_keys.secret, list.size, items.symbols, items.notes
          FROM asked
          JOIN users ON users.id = asked.user_id
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         CROSS JOIN LATERAL (
                SELECT count(*) AS size FROM watchlist_items WHERE user_id = users.id
               ) AS list
         CROSS JOIN LATERAL (
                SELECT array_agg(symbol) AS symbols, array_agg(note) AS notes
                  FROM watchlist_items
                 WHERE user_id = users.id AND symbol = ANY(asked.symbols)
               ) AS items
        """,
        [owner for owner, _ in asked],
        [symbol for _, symbol in asked],
    )
    owners = {}
    for row in rows:
        items = dict(zip(row["symbols"] or (), row["notes"] or (), strict=True))
        limit = WATCHLIST_LIMITS[Tier(row["tier"])]
        watchlist = Watchlist(row["id"], limit, items, others=row["size"] - len(items))
        owners[row["id"]] = Owner(watchlist, PersonalKey(user_key_id(row["id"]), row["secret"]))
    return owners


async def read_items(
    conn: Connection, owners: Sequence[UserId]
) -> dict[UserId, dict[str, str | None]]:
    """The whole lists of locked owners, in their order: notes by symbol."""
    rows = await conn.fetch(
        """
        SELECT user_id, symbol, note
          FROM watchlist_items
         WHERE user_id = ANY($1)
         ORDER BY user_id, position NULLS LAST, added_at, symbol
        """,
        owners,
    )
    lists: dict[UserId, dict[str, str | None]] = {owner: {} for owner in owners}
    for row in rows:
        lists[row["user_id"]][row["symbol"]] = row["note"]
    return lists


async def save_order(conn: Connection, lists: Sequence[Watchlist]) -> None:
    """Write the places of whole lists, in which every item is known."""
    if not lists:
        return
    places = [
        (each.owner, symbol, place) for each in lists for place, symbol in enumerate(each.items)
    ]
    await conn.execute(
        """
        UPDATE watchlist_items SET position = places.position
          FROM unnest($1::uuid[], $2::text[], $3::int[]) AS places (user_id, symbol, position)
         WHERE watchlist_items.user_id = places.user_id
           AND watchlist_items.symbol = places.symbol
           AND watchlist_items.position IS DISTINCT FROM places.position
        """,
        [owner for owner, _, _ in places],
        [symbol for _, symbol, _ in places],
        [place for _, _, place in places],
    )


@dataclass(frozen=True, slots=True)
class Change:
    """The net effect of a batch on one item; `note` is set with `kept`, else the item goes."""

    owner: UserId
    symbol: str
    kept: bool
    note: str | None = None


def changes(before: Watchlist, after: Watchlist) -> Iterable[Change]:
    """What differs between two states of one list. An item that came again goes first."""
    for symbol in before.items:
        if symbol not in after.items or symbol in after.added:
            yield Change(after.owner, symbol, kept=False)
    for symbol, note in after.items.items():
        if symbol in after.added or before.items[symbol] != note:
            yield Change(after.owner, symbol, kept=True, note=note)


async def save(conn: Connection, all_changes: Sequence[Change]) -> None:
    """Write the net effect: what goes, then what is kept."""
    if gone := [change for change in all_changes if not change.kept]:
        await _delete(conn, gone)
    if kept := [change for change in all_changes if change.kept]:
        await _upsert(conn, kept)


async def _delete(conn: Connection, gone: Sequence[Change]) -> None:
    await conn.execute(
        """
        DELETE FROM watchlist_items
         USING unnest($1::uuid[], $2::text[]) AS gone (user_id, symbol)
         WHERE watchlist_items.user_id = gone.user_id
           AND watchlist_items.symbol = gone.symbol
        """,
        [change.owner for change in gone],
        [change.symbol for change in gone],
    )


async def _upsert(conn: Connection, kept: Sequence[Change]) -> None:
    """`added_at` keeps the order of the commands, and stays when only a note changes.

    The statement's time is later than the lock; the transaction's may be earlier than what
    another batch wrote meanwhile.
    """
    await conn.execute(
        """
        INSERT INTO watchlist_items (user_id, symbol, note, added_at)
        SELECT user_id, symbol, note, statement_timestamp() + place * interval '1 microsecond'
          FROM unnest($1::uuid[], $2::text[], $3::text[])
          WITH ORDINALITY AS kept (user_id, symbol, note, place)
            ON CONFLICT (user_id, symbol) DO UPDATE SET note = excluded.note
        """,
        [change.owner for change in kept],
        [change.symbol for change in kept],
        [change.note for change in kept],
    )
