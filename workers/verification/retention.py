"""What may go of mails and the tokens that they carried.

A link is answered as used, void or expired for as long as its row is kept, then as one that was
never mailed.
"""

from datetime import timedelta

from contracts.topics import MIN_REMEMBERED
from infra.postgres.retention import Rule, oldest_rows
from workers.notifications.retention import FAREWELLS, MAIL_ALLOWANCES, MAIL_REQUESTS, MAILS
from workers.notifications.rules import LINKS, VERIFY

TOKENS = oldest_rows("mailed_tokens", key=("token_hash",), since="expires_at")
"""Used or not, they have expired."""


def rules(keep: timedelta) -> list[Rule]:
    """Tokens first: a mail goes after the token that names it."""
    return [
        Rule("mailed_tokens", keep, TOKENS),
        Rule("mails", keep + LINKS[VERIFY], MAILS),
        Rule("mail_requests", MIN_REMEMBERED, MAIL_REQUESTS),
        Rule("mail_allowances", timedelta(days=1), MAIL_ALLOWANCES),
        Rule("farewells", timedelta(days=7), FAREWELLS),
    ]
