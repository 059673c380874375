"""A dump of the database, made and restored as docs/recovery.md says."""

from pathlib import Path
from typing import Any

from contracts.ids import uuid7
from contracts.outcomes import Succeeded
from infra.messaging.transaction import Transactions
from tests.support.infra.restart_command import COMMAND
from tests.support.message_builders import received
from tests.support.page_commands import shell, steps
from tests.support.postgres import Database

PAGE = "recovery.md"
DUMP = steps(PAGE, of="Prerequisites")[0]
RESTORE = next(step for step in steps(PAGE, of="Procedure") if "pg_restore" in step)
SCHEMA = 'pg_dump --schema-only --no-comments "$OWNER_DSN" | grep -v "^\\\\\\\\"'


async def test_restored_dump_has_schema_rights_and_rows_of_then(
    database: Database, tmp_path: Path
) -> None:
    variables = {"OWNER_DSN": database.dsn()}
    transactions = Transactions(await database.pool("qnt9_watchlist"), "watchlist")

    async def handle() -> Any:
        command = received(COMMAND, actor=uuid7())
        async with transactions.begin() as tx:
            tx.complete(command, Succeeded())
        return command.envelope.id

    kept = await handle()
    schema = shell(SCHEMA, tmp_path, variables)
    shell(DUMP, tmp_path, variables)
    lost = await handle()
    await database.execute(
        "CREATE TABLE outbox_of_later PARTITION OF outbox FOR VALUES FROM "
        "('2099-01-01') TO ('2099-01-02')"
    )
    shell(RESTORE, tmp_path, variables)
    assert shell(SCHEMA, tmp_path, variables) == schema
    rows = {row["message_id"] for row in await database.fetch("SELECT message_id FROM inbox")}
    assert kept in rows
    assert lost not in rows
    assert await handle()
