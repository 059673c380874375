"""What each database role may do: the one table that `qnt9 migrate` makes true.

A right that is not here is taken away, so a migration grants nothing: whoever adds a table, view,
function or sequence names it in `RIGHTS`, with the roles that use it and the columns they use, or
with no role at all. Conditions on rows become row level security. `infra.postgres.grants` compares
and applies; docs/threat-model.md shows the result.

Locking a row (`SELECT … FOR UPDATE`) needs a right to update it: `LOCK` is one that no row passes.
"""

from collections.abc import Mapping

from contracts.emitters import EMITTED_BY
from infra.postgres.privileges import (
    CALL,
    LOCK,
    NOBODY,
    ROLES,
    SHORT_NOTE,
    SMALL_ANSWER,
    SMALL_QUOTE,
    USE,
    Rights,
    consumers_of,
    delete,
    inbox_rights,
    insert,
    instruction_rights,
    outbox_rights,
    parked_rights,
    pause_rights,
    select,
    update,
)

WITH_CONSUMERS = tuple(role for role in ROLES if consumers_of(role))
WITH_INBOX = tuple(
    role for role in ROLES if role != "audit" and any(c.inbox for c in consumers_of(role))
)
WITH_OUTBOX = tuple(role for role in ROLES if role in EMITTED_BY)
WITH_USER_KEYS = ("signup", "accounts", "verification", "watchlist")

_MAILS = "id user_id template template_version message_id parameters on_request"
_MAIL_PROGRESS = "status attempts next_attempt_at leased_until sent_at last_error"
_AUDIT = (
    "user_id action details ip_address user_agent created_at event_id type correlation_id topic"
    " partition offset key headers payload recorded_at"
)

RIGHTS: Mapping[str, Mapping[str, Rights]] = {
    # Messages.
    "inbox": {role: inbox_rights(role) for role in WITH_INBOX},
    "parked_commands": {role: parked_rights(role) for role in (*WITH_INBOX, "audit")},
    "outbox": {role: outbox_rights(role) for role in WITH_OUTBOX}
    | {
        "relay": (
            select("seq created_at aggregatetype aggregateid payload headers published_at shard"),
            update("published_at"),
        ),
    },
    "outbox_other": NOBODY,
    "relays": {
        "relay": (
            select("id session_pid session_started expires_at"),
            insert("id session_pid session_started expires_at"),
            update("expires_at"),
            delete(),
        ),
    },
    "consumer_pauses": {role: pause_rights(role) for role in WITH_CONSUMERS},
    "consumer_instructions": {role: instruction_rights(role) for role in WITH_CONSUMERS},
    "consumer_instructions_id_seq": NOBODY,
    "relay_shards": {"relay": (select("shard relay"), update("relay"))},
    "outbox_seq": dict.fromkeys(WITH_OUTBOX, USE),
    "mail_requests": {"verification": (select("event_id type payload requested_at"), delete())},
    "request_mail": NOBODY,
    # What a restored database has lost.
    "recoveries": {
        role: (select("began_at finished_at horizons points published_until"),)
        for role in WITH_INBOX
    },
    "recovered_events": {
        role: (select("id consumer cause_id awaited repeated_at given_up_at"),)
        for role in (*WITH_INBOX, "audit")
    },
    "skip_recovered_event": NOBODY,
    "role_of_consumer": NOBODY,
    "unknown_messages": dict.fromkeys((*WITH_INBOX, "audit"), CALL),
    "ensure_partitions": {"relay": CALL, "audit": CALL},
    "forget_handled": {"relay": CALL},
    "forget_published": {"relay": CALL},
    "dead_letter_actions": NOBODY,
    "schema_migrations": NOBODY,
    # Keys of personal data.
    "personal_keys": {
        "signup": (insert("id secret", "id LIKE 'user:%'", meaning="keys of users"),),
        "accounts": (insert("id secret", "id LIKE 'day:%'", meaning="keys of days"),),
    },
    "user_key": dict.fromkeys(WITH_USER_KEYS, CALL),
    "dead_letter_keys": dict.fromkeys(WITH_USER_KEYS, CALL),
    "day_key": {"accounts": CALL},
    "hold_personal_keys": {"audit": CALL},
    # Users, their sessions, and what is mailed to them.
    "users": {
        "signup": (
            select("id address_hash email_confirmed_at erased_at"),
            insert("id email address_hash display_name password_hash signup_secret_hash"),
            LOCK,
        ),
        "accounts": (
            select(
                "id email address_hash display_name password_hash signup_secret_hash"
                " email_confirmed_at tier permissions version created_at superseded_at erased_at"
            ),
            update(
                "email address_hash password_hash signup_secret_hash display_name"
                " email_confirmed_at superseded_at tier permissions version updated_at"
            ),
        ),
        "verification": (
            select(
                "id email address_hash display_name email_confirmed_at version created_at"
                " superseded_at erased_at"
            ),
            update("email address_hash email_confirmed_at superseded_at version updated_at"),
        ),
        "watchlist": (select("id tier erased_at"), LOCK),
    },
    "erase_user": {"accounts": CALL},
    "sessions": {
        "accounts": (
            select("id user_id created_at ended_at last_used_at expires_at program network"),
            insert("id user_id expires_at ip_address user_agent program network"),
            update("ended_at last_used_at expires_at ip_address user_agent"),
            delete(),
        ),
        "verification": (select("id user_id ended_at"), update("ended_at")),
    },
    "refresh_tokens": {
        "accounts": (
            select("token_hash session_id created_at expires_at spent_at late_run"),
            insert("token_hash session_id expires_at"),
            update("spent_at late_run"),
            delete(),
        ),
    },
    "mails": {
        "verification": (
            select(f"{_MAILS} {_MAIL_PROGRESS} created_at traceparent"),
            insert(f"{_MAILS} next_attempt_at traceparent"),
            update(_MAIL_PROGRESS),
            delete(),
        ),
    },
    "mailed_tokens": {
        "verification": (
            select(
                "token_hash mail_id user_id purpose created_at expires_at used_at voided_at"
                " session_id"
            ),
            insert("token_hash mail_id user_id purpose expires_at address session_id"),
            update("used_at voided_at"),
            delete(),
        ),
        "accounts": (
            select("token_hash user_id purpose created_at expires_at used_at voided_at address"),
            update("used_at voided_at"),
        ),
    },
    "mail_allowances": {
        "verification": (
            select("address_hash share sent_at last_at"),
            insert("address_hash share sent_at last_at"),
            update("sent_at last_at"),
            delete(),
        ),
    },
    "farewells": {
        "accounts": (insert("user_id secret email"),),
        "verification": (select("user_id secret email created_at"), delete()),
    },
    # Watchlists and quotes.
    "watchlist_items": {
        "watchlist": (
            select("user_id symbol note added_at position"),
            insert("user_id symbol note added_at", SHORT_NOTE, meaning="short notes"),
            update("note position", written=SHORT_NOTE, meaning="short notes"),
            delete(),
        ),
    },
    "quotes": {
        "quotes": (
            select("symbol quote as_of fetched_at fresh_until"),
            insert("symbol quote as_of fetched_at fresh_until", SMALL_QUOTE, meaning="small rows"),
            update("quote as_of fetched_at fresh_until", written=SMALL_QUOTE, meaning="small rows"),
        ),
    },
    "query_answers": {
        "quotes": (
            select("command_id told_at"),
            insert("command_id outcome", SMALL_ANSWER, meaning="small rows"),
            delete(),
        ),
    },
    # The audit log.
    "audit_log": {"audit": (insert(_AUDIT),)},
    "audit_log_other": NOBODY,
    "audit_heads": {"audit": (select("topic partition length hash"),)},
    "audit_heads_chain_seq": NOBODY,
    "audit_chain": NOBODY,
    "recorded_events": {"audit": CALL},
    "extend_audit_chain": NOBODY,
    "audit_field": NOBODY,
    "audit_leaf": NOBODY,
    "audit_link": NOBODY,
    "audit_links": NOBODY,
    # What the gateway reads.
    "command_outcomes": {"gateway": (select("id fingerprint outcome"),)},
    "commands_parked": {"gateway": (select("id"),)},
    "profiles": {
        "gateway": (
            select(
                "id email display_name email_confirmed_at tier permissions created_at address_hash"
            ),
        ),
    },
    "watchlist_entries": {"gateway": (select("user_id symbol note added_at position"),)},
    "last_quotes": {"gateway": (select("symbol quote fetched_at fresh_until"),)},
    "activity": {
        "gateway": (select("id user_id action details ip_address user_agent created_at"),),
    },
    "audit_entries": {
        "gateway": (
            select(
                "id user_id actor_id action details ip_address user_agent created_at correlation_id"
            ),
        ),
    },
    "sessions_open": {
        "gateway": (select("id user_id created_at last_used_at ip_address user_agent program"),),
    },
    "sessions_ended": {"gateway": (select("id ended_at"),)},
    "users_changed": {
        "gateway": (select("id version tier permissions verified gone updated_at"),),
    },
}

LEAVING: Mapping[str, Mapping[str, Rights]] = {}
"""Rights that only the version before uses, in the form of `RIGHTS`: while both versions run they
stay, never given anew; a release later they are removed from here. Rows cannot be told apart here:
leave a condition on rows as it was, and narrow it a release later."""
