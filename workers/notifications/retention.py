"""What may go of mails, their requests, allowances and keys."""

from infra.postgres.retention import oldest_rows

MAILS = oldest_rows(
    "mails",
    key=("id",),
    since="created_at",
    only="status IN ('sent', 'failed', 'cancelled')"
    " AND NOT EXISTS (SELECT FROM mailed_tokens WHERE mail_id = mails.id)",
)
"""Sent or given up; never one that is still to be sent."""
MAIL_REQUESTS = oldest_rows("mail_requests", key=("event_id", "type"), since="requested_at")
"""Requests whose event nobody delivers any more, such as that of a discarded dead letter."""
MAIL_ALLOWANCES = oldest_rows(
    "mail_allowances", key=("address_hash", "share"), since="last_at", skip_locked=True
)
"""Counts of addresses that were mailed longer ago than any limit looks back."""
FAREWELLS = oldest_rows("farewells", key=("user_id",), since="created_at")
"""Keys to addresses of erased users whose last mail was never sent."""
