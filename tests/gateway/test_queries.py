"""What the gateway's own role reads of the views."""

from gateway import queries
from tests.support.postgres import Database
from tests.support.users import a_user

GATEWAY = "qnt9_gateway"


async def test_watchlist_is_read_in_the_order_of_its_places(database: Database) -> None:
    owner = await a_user(database, "ada@example.com", verified=True)
    rows = (("A", None), ("B", 1), ("C", 0), ("D", None))
    for symbol, position in rows:
        await database.execute(
            "INSERT INTO watchlist_items (user_id, symbol, position) VALUES ($1, $2, $3)",
            owner,
            symbol,
            position,
        )
    found = await queries.watchlist(await database.pool(GATEWAY), owner)
    assert [row["symbol"] for row in found] == ["C", "B", "A", "D"]
