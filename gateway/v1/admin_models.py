"""Bodies, queries and answers of the routes of admins."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field

from contracts.addresses import EmailAddress
from contracts.values import Permission, Tier
from gateway.v1.models import Body, Page

_OFFSET = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)|(?<=\.\d{6}) (?=\d\d:?\d\d$)")


def _true_or_false(text: object) -> object:
    return {"true": True, "false": False}.get(text, "neither") if isinstance(text, str) else text


def _not_a_number(text: object) -> object:
    """Seconds since 1970 would be read as a time, too."""
    if isinstance(text, str) and "-" not in text[1:]:
        raise ValueError("must be a time such as 2026-11-03T09:00:00Z")
    # In a query that nobody encoded, the + before an offset is read as a blank.
    return _OFFSET.sub("+", text) if isinstance(text, str) else text


def _in_the_calendar(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time between the years 1 and 9999") from None


Instant = Annotated[AwareDatetime, BeforeValidator(_not_a_number), AfterValidator(_in_the_calendar)]
"""A time with its offset."""


class TierBody(Body):
    """The new tier of the user."""

    tier: Tier


class PermissionsBody(Body):
    """All permissions of the user. Omitted ones are withdrawn."""

    permissions: Annotated[list[Permission], Field(max_length=16)]


class UsersPage(Page):
    """Filters for users: exact address, tier, verified or not."""

    email: EmailAddress | None = None
    tier: Tier | None = None
    verified: Annotated[bool, BeforeValidator(_true_or_false)] | None = None


class AuditPage(Page):
    """Filters for entries: user, action, from a time (inclusive) to another (exclusive).

    `correlation_id` is the `X-Request-ID` of the request that caused the entries.
    """

    user_id: UUID | None = None
    action: Annotated[str, Field(max_length=64, pattern=r"^[a-z_]+(\.[a-z_]+)*$")] | None = None
    correlation_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")] | None = None
    since: Annotated[Instant | None, Field(alias="from")] = None
    until: Annotated[Instant | None, Field(alias="to")] = None


class Account(BaseModel):
    """A user, as admins see them."""

    id: UUID
    email: str
    display_name: str | None
    email_confirmed_at: datetime | None
    tier: str
    permissions: list[str]
    created_at: datetime


class Accounts(BaseModel):
    """Users, the newest first; `next_cursor` where there are more."""

    users: list[Account]
    next_cursor: str | None


class AuditEntry(BaseModel):
    """One entry of the audit log, without what is encrypted. `actor_id`: who did it."""

    id: UUID
    user_id: UUID | None
    actor_id: str | None
    action: str
    details: dict[str, Any]
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
    correlation_id: str


class AuditEntries(BaseModel):
    """What happened, newest first; `next_cursor` where there is more."""

    entries: list[AuditEntry]
    next_cursor: str | None


class Standing(BaseModel):
    """What the user may do from now on."""

    id: UUID
    tier: str
    permissions: list[str]
