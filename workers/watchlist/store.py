"""The SQL of watchlists, all of it set-based: one statement for a whole batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.personal import PersonalKey
from contracts.values import WATCHLIST_LIMITS, Tier, UserId
from infra.postgres.personal_keys import user_key_id
from infra.postgres.pool import Connection
from workers.watchlist.rules import Watchlist


@dataclass(frozen=True, slots=True)
class Owner:
    """A user's list as it stands, and the key of that user's personal data."""

    watchlist: Watchlist
    key: PersonalKey


async def lock_owners(conn: Connection, owners: Sequence[UserId]) -> dict[UserId, Owner]:
    """The owners' lists, locked in id order so that batches cannot deadlock. Unknown: left out."""
    rows = await conn.fetch(
        """
        WITH owner AS (
            SELECT id, tier FROM users
             WHERE id = ANY($1) AND erased_at IS NULL
             ORDER BY id
               FOR NO KEY UPDATE
        )
        SELECT owner.id, owner.tier, personal_keys.secret, items.symbols, items.notes
          FROM owner
          JOIN personal_keys ON personal_keys.id = 'user:' || owner.id
         CROSS JOIN LATERAL (
                SELECT array_agg(symbol) AS symbols, array_agg(note) AS notes
                  FROM watchlist_items
                 WHERE user_id = owner.id
               ) AS items
        """,
        owners,
    )
    return {
        row["id"]: Owner(
            Watchlist(
                row["id"],
                WATCHLIST_LIMITS[Tier(row["tier"])],
                dict(zip(row["symbols"] or (), row["notes"] or (), strict=True)),
            ),
            PersonalKey(user_key_id(row["id"]), row["secret"]),
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class Change:
    """The net effect of a batch on one item; `note` is set with `kept`, else the item goes."""

    owner: UserId
    symbol: str
    kept: bool
    note: str | None = None


def changes(before: Watchlist, after: Watchlist) -> Iterable[Change]:
    """What differs between two states of one list."""
    for symbol, note in after.items.items():
        if symbol not in before.items or before.items[symbol] != note:
            yield Change(after.owner, symbol, kept=True, note=note)
    for symbol in before.items.keys() - after.items.keys():
        yield Change(after.owner, symbol, kept=False)


async def save(conn: Connection, all_changes: Sequence[Change]) -> None:
    """Write the net effect. `added_at` stays what it was when only a note changes."""
    kept = [change for change in all_changes if change.kept]
    gone = [change for change in all_changes if not change.kept]
    if kept:
        await conn.execute(
            """
            INSERT INTO watchlist_items (user_id, symbol, note)
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
                ON CONFLICT (user_id, symbol) DO UPDATE SET note = excluded.note
            """,
            [change.owner for change in kept],
            [change.symbol for change in kept],
            [change.note for change in kept],
        )
    if gone:
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
