"""What may go of mails, their requests, allowances and keys."""

from datetime import timedelta

from infra.postgres.pool import Connection


async def delete_old_mails(conn: Connection, keep: timedelta, most: int) -> int:
    """Sent or given up; never one that is still to be sent."""
    removed: int = await conn.fetchval(
        """
        WITH old AS (
            SELECT id FROM mails
             WHERE created_at < now() - $1::interval
               AND status IN ('sent', 'failed', 'cancelled')
               AND NOT EXISTS (SELECT FROM mailed_tokens WHERE mail_id = mails.id)
             ORDER BY created_at
             LIMIT $2
        ), gone AS (
            DELETE FROM mails USING old WHERE mails.id = old.id RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        keep,
        most,
    )
    return removed


async def delete_old_mail_requests(conn: Connection, keep: timedelta, most: int) -> int:
    """Requests whose event nobody delivers any more, such as that of a discarded dead letter."""
    removed: int = await conn.fetchval(
        """
        WITH old AS (
            SELECT event_id, type FROM mail_requests
             WHERE requested_at < now() - $1::interval
             ORDER BY requested_at
             LIMIT $2
        ), gone AS (
            DELETE FROM mail_requests USING old
             WHERE mail_requests.event_id = old.event_id AND mail_requests.type = old.type
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        keep,
        most,
    )
    return removed


async def delete_old_mail_allowances(conn: Connection, keep: timedelta, most: int) -> int:
    """Counts of addresses that were mailed longer ago than any limit looks back."""
    removed: int = await conn.fetchval(
        """
        WITH old AS (
            SELECT address_hash, share FROM mail_allowances
             WHERE last_at < now() - $1::interval
             ORDER BY last_at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM mail_allowances AS kept USING old
             WHERE kept.address_hash = old.address_hash AND kept.share = old.share
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        keep,
        most,
    )
    return removed


async def delete_old_farewells(conn: Connection, keep: timedelta, most: int) -> int:
    """Keys to addresses of erased users whose last mail was never sent."""
    removed: int = await conn.fetchval(
        """
        WITH old AS (
            SELECT user_id FROM farewells
             WHERE created_at < now() - $1::interval
             ORDER BY created_at
             LIMIT $2
        ), gone AS (
            DELETE FROM farewells USING old WHERE farewells.user_id = old.user_id RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        keep,
        most,
    )
    return removed
