"""What may go of mails and the tokens that they carried.

A link is answered as used, void or expired for as long as its row is kept, then as one that was
never mailed.
"""

from datetime import timedelta

from contracts.topics import MIN_REMEMBERED
from infra.postgres.pool import Connection
from infra.postgres.retention import Rule
from workers.notifications.retention import (
    delete_old_farewells,
    delete_old_mail_allowances,
    delete_old_mail_requests,
    delete_old_mails,
)
from workers.notifications.rules import LINKS, VERIFY


def rules(keep: timedelta) -> list[Rule]:
    """Tokens first: a mail goes after the token that names it."""
    return [
        Rule("mailed_tokens", keep, delete_expired_tokens),
        Rule("mails", keep + LINKS[VERIFY], delete_old_mails),
        Rule("mail_requests", MIN_REMEMBERED, delete_old_mail_requests),
        Rule("mail_allowances", timedelta(days=1), delete_old_mail_allowances),
        Rule("farewells", timedelta(days=7), delete_old_farewells),
    ]


async def delete_expired_tokens(conn: Connection, keep: timedelta, most: int) -> int:
    """Used or not, they have expired."""
    removed: int = await conn.fetchval(
        """
        WITH old AS (
            SELECT token_hash FROM mailed_tokens
             WHERE expires_at < now() - $1::interval
             ORDER BY expires_at
             LIMIT $2
        ), gone AS (
            DELETE FROM mailed_tokens USING old
             WHERE mailed_tokens.token_hash = old.token_hash
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        keep,
        most,
    )
    return removed
