"""Bodies of requests and responses, as the OpenAPI document shows them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
)

from contracts.addresses import EmailAddress
from contracts.quotes import Quote
from contracts.values import DisplayName, Note, Symbol, WatchlistOrder
from gateway.auth.password_rules import check_password

Token = Annotated[str, Field(min_length=16, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]


KnownPassword = Annotated[str, Field(min_length=1, max_length=1024)]
NewPassword = Annotated[
    str,
    AfterValidator(lambda password: check_password(password, None)),
    Field(examples=["Quiet-harbour-7"]),
]
"""8 to 128 characters: upper and lower case, digit, special character."""


class Body(BaseModel):
    """A request body. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WithAddress(Body):
    """A body with an address."""

    email: EmailAddress


class SignUpBody(WithAddress):
    """A new account. 8 to 128 characters: upper and lower case, digit, special character."""

    password: Annotated[str, Field(examples=["Quiet-harbour-7"])]
    display_name: DisplayName | None = None

    @field_validator("password")
    @classmethod
    def _strong(cls, password: str, info: Any) -> str:
        return check_password(password, info.data.get("email"))


class SignInBody(WithAddress):
    """Credentials."""

    password: Annotated[str, Field(min_length=1, max_length=1024)]


class RefreshBody(Body):
    """The refresh token of a session."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=512)]


class VerifyBody(Body):
    """The token of a mailed link. That of a sign-up also takes proof of who signed up.

    `password` is the one of the sign-up, `signup_secret` what signing up was answered with; one of
    the two is enough. A link to another address takes neither.
    """

    token: Token
    password: KnownPassword | None = None
    signup_secret: Token | None = None


class ResendBody(WithAddress):
    """An address that waits for its verification mail."""


class ForgotBody(WithAddress):
    """The address of whoever forgot the password."""


class ResetBody(Body):
    """The token of a mailed link, and the new password."""

    token: Token
    new_password: NewPassword


class ChangePasswordBody(Body):
    """The password before and after."""

    current_password: KnownPassword
    new_password: NewPassword


class ChangeEmailBody(Body):
    """Another address, and the password."""

    new_email: EmailAddress
    password: KnownPassword


class ProfileBody(Body):
    """The fields to change; omitted ones stay. A null name removes the name."""

    display_name: DisplayName | None = None


class EraseBody(Body):
    """The password, for an action that cannot be undone."""

    password: KnownPassword


class NoteBody(Body):
    """What to remember about a symbol."""

    note: Note | None = None


class Accepted(BaseModel):
    """The command is in Kafka; the answer says nothing more."""

    status: Literal["accepted"]


class SignedUp(BaseModel):
    """The command is in Kafka; the answer says nothing more, whether or not the address is taken.

    `signup_secret` confirms this sign-up together with the mailed token, instead of its password.
    Keep it where nobody else reads it; a sign-up from elsewhere has another.
    """

    status: Literal["accepted"]
    signup_secret: str


class Pending(BaseModel):
    """The command is in Kafka; its outcome will be at `Location`."""

    status: Literal["pending"]
    handle: str


class Underway(BaseModel):
    """`accepted`: the rest follows. `pending`: the outcome will be at `Location`."""

    status: Literal["accepted", "pending"]
    handle: str | None = None


class Done(BaseModel):
    """It is done."""

    status: Literal["done"]


class Tokens(BaseModel):
    """A session's tokens."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str


class BrowserTokens(BaseModel):
    """A session's access token. Its refresh token is in the cookie."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class StreamQuery(Body):
    """What a new `EventSource` cannot send in headers."""

    ticket: Annotated[
        str | None, Field(max_length=128, description="Instead of an access token, once.")
    ] = None
    last_event_id: Annotated[
        str | None, Field(max_length=128, description="Instead of `Last-Event-ID`.")
    ] = None


class Ticket(BaseModel):
    """Opens the stream once, within so many seconds."""

    ticket: str
    expires_in: int


class Verified(BaseModel):
    """The address is verified, since when."""

    email_confirmed_at: datetime


class Profile(BaseModel):
    """The caller's account."""

    id: UUID
    email: str
    display_name: str | None
    email_confirmed_at: datetime | None
    tier: str
    permissions: list[str]
    created_at: datetime


class Deed(BaseModel):
    """One entry of the audit log. `details` are those that are not encrypted."""

    id: UUID
    action: str
    details: dict[str, Any]
    ip_address: str | None
    user_agent: str | None
    created_at: datetime


class Activity(BaseModel):
    """What happened to the account, newest first; `next_cursor` where there is more."""

    activity: list[Deed]
    next_cursor: str | None


class Page(BaseModel):
    """Which part of a long list, and how much of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class WatchlistItem(BaseModel):
    """One symbol that the caller follows."""

    position: Annotated[int, Field(description="Its place in the list, from 0.")]
    symbol: Symbol
    note: str | None
    added_at: datetime
    quote: Quote | None


class Watchlist(BaseModel):
    """What the caller follows, and how much that may be."""

    items: list[WatchlistItem]
    limit: int


class OrderBody(Body):
    """The symbols that come first, each once. The others follow as they were."""

    order: WatchlistOrder


class Ordered(BaseModel):
    """All symbols of the list, in its order."""

    order: list[Symbol]


class ItemSaved(BaseModel):
    """The item as it is now."""

    symbol: Symbol
    note: str | None


class CommandStatus(BaseModel):
    """What became of a command. `parked`: set aside until an operator has mended the cause."""

    id: str
    type: str
    status: Literal["pending", "succeeded", "failed"]
    parked: bool
    result: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None


class JwkSet(BaseModel):
    """The keys that check access tokens (RFC 7517)."""

    keys: list[dict[str, str]]
