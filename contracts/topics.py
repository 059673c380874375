"""The topology: every topic, what it carries, who writes it, who reads it.

The one source of the broker's topics and ACLs, of the message table in the README, of
`schemas/` and of the check that every handler is where a command says it is.
"""

from dataclasses import dataclass
from datetime import timedelta

from contracts import commands, events, operator_events
from contracts.message import Command, Message

MIB = 1024 * 1024
PARTITIONS = 6
MAX_RECORD_BYTES = 4 * MIB
MAX_DEAD_LETTER_BYTES = 5 * MIB
MAX_DATA_BYTES = 256 * 1024
"""What a handler takes; a topic accepts more, so that what is too big becomes a dead letter."""

COMMAND_RETENTION = timedelta(days=7)
SEGMENT = timedelta(days=7)
"""Brokers remove whole segments, which may span so much: a record may stay that much longer."""
REDRIVE_SAFE_AGE = timedelta(days=7)
"""How long a dead letter is sent again without asking whether its message waits for that still."""
MIN_REMEMBERED = COMMAND_RETENTION + SEGMENT + REDRIVE_SAFE_AGE + timedelta(days=1)
"""How long it must be known what was handled: nothing is delivered again after that (ADR 15)."""
DEAD_LETTERS_SETTLED = timedelta(days=28)
"""A command that waits as a dead letter for so long is given up, with an outcome and an event."""
DEAD_LETTERS_RETENTION = DEAD_LETTERS_SETTLED + timedelta(days=7)
"""Of commands. Dead letters of events hold nothing in clear and are kept as the events are."""
RETAIN_FOREVER = None
"""Event topics are kept as long as the audit log."""


@dataclass(frozen=True)
class Consumer:
    """A consumer group, and the process that runs it."""

    name: str
    process: str = ""
    inbox: bool = True
    """Whether rows tell what it has handled. Without them a repetition is harmless for good."""

    @property
    def group(self) -> str:
        return f"qnt9.{self.name}"

    @property
    def principal(self) -> str:
        return self.process or self.name


@dataclass(frozen=True)
class Topic:
    """A topic as the language knows it."""

    name: str
    carries: tuple[type[Message], ...]
    key: str
    producer: str
    consumers: tuple[Consumer, ...]
    retention: timedelta | None
    partitions: int = PARTITIONS
    watchers: tuple[str, ...] = ()
    """Processes of which every single one reads all of it, in no group."""

    def redrive(self, consumer: Consumer) -> str:
        return f"{self.name}.{consumer.name}.redrive"

    def dead_letters(self, consumer: Consumer) -> str:
        return f"{self.name}.{consumer.name}.dlq"


SIGNUP = Consumer("signup")
SIGNIN = Consumer("signin", process="accounts")
ACCOUNTS = Consumer("accounts")
PASSWORDS = Consumer("passwords", process="accounts")
VERIFICATION = Consumer("verification")
VERIFICATION_MAILS = Consumer("verification-mails", process="verification")
WATCHLIST = Consumer("watchlist")
QUOTES = Consumer("quotes", inbox=False)
AUDIT = Consumer("audit", inbox=False)

SIGNUP_COMMANDS = Topic(
    "signup.commands",
    carries=(commands.SignUp,),
    key="HMAC of the address",
    producer="gateway",
    consumers=(SIGNUP,),
    retention=COMMAND_RETENTION,
)
SIGNIN_COMMANDS = Topic(
    "signin.commands",
    carries=(commands.SignIn,),
    key="HMAC of the address",
    producer="gateway",
    consumers=(SIGNIN,),
    retention=COMMAND_RETENTION,
)
ACCOUNTS_COMMANDS = Topic(
    "accounts.commands",
    carries=(
        commands.RefreshToken,
        commands.SignOut,
        commands.RevokeSession,
        commands.UpdateProfile,
        commands.ChangeTier,
        commands.ChangePermissions,
    ),
    key="session id, or user id",
    producer="gateway",
    consumers=(ACCOUNTS,),
    retention=COMMAND_RETENTION,
)
PASSWORDS_COMMANDS = Topic(
    "passwords.commands",
    carries=(
        commands.ChangePassword,
        commands.ResetPassword,
        commands.ConfirmSignUp,
        commands.ChangeEmail,
        commands.UndoEmailChange,
        commands.EraseAccount,
    ),
    key="user id, or HMAC of the token",
    producer="gateway",
    consumers=(PASSWORDS,),
    retention=COMMAND_RETENTION,
)
VERIFICATION_COMMANDS = Topic(
    "verification.commands",
    carries=(commands.VerifyEmail, commands.ResendVerification, commands.ForgotPassword),
    key="HMAC of the token or the address",
    producer="gateway",
    consumers=(VERIFICATION,),
    retention=COMMAND_RETENTION,
)
WATCHLIST_COMMANDS = Topic(
    "watchlist.commands",
    carries=(
        commands.AddToWatchlist,
        commands.RemoveFromWatchlist,
        commands.ReorderWatchlist,
    ),
    key="user id",
    producer="gateway",
    consumers=(WATCHLIST,),
    retention=COMMAND_RETENTION,
)
QUOTES_COMMANDS = Topic(
    "quotes.commands",
    carries=(commands.LookUpQuote, commands.LookUpHistory, commands.Search),
    key="symbol",
    producer="gateway",
    consumers=(QUOTES,),
    retention=COMMAND_RETENTION,
)
USERS_EVENTS = Topic(
    "users.events",
    carries=(
        events.UserSignedUp,
        events.UserSignupRepeated,
        events.UserEmailVerified,
        events.UserVerificationRequested,
        events.UserMailFailed,
        events.UserSignedIn,
        events.UserSigninFailed,
        events.UserTokenRefreshed,
        events.UserTokenReuseDetected,
        events.UserSignedOut,
        events.UserSessionRevoked,
        events.UserPasswordResetRequested,
        events.UserPasswordReset,
        events.UserPasswordChanged,
        events.UserPasswordCheckFailed,
        events.UserEmailChangeRequested,
        events.UserEmailChanged,
        events.UserEmailChangeUndone,
        events.UserProfileUpdated,
        events.UserErased,
        events.UserTierChanged,
        events.UserPermissionsChanged,
        events.UserCommandExpired,
    ),
    key="user id, or HMAC of the address",
    producer="relay",
    consumers=(AUDIT, VERIFICATION_MAILS),
    retention=RETAIN_FOREVER,
    watchers=("gateway",),
)
WATCHLISTS_EVENTS = Topic(
    "watchlists.events",
    carries=(
        events.WatchlistItemAdded,
        events.WatchlistItemRemoved,
        events.WatchlistReordered,
    ),
    key="user id",
    producer="relay",
    consumers=(AUDIT,),
    retention=RETAIN_FOREVER,
    watchers=("gateway",),
)
QUOTES_EVENTS = Topic(
    "quotes.events",
    carries=(
        events.QuoteUpdated,
        events.QuoteServedStale,
        events.QuoteUnavailable,
        events.QuoteNotFound,
        events.QuoteHeldBack,
        events.ProviderCircuitChanged,
        events.ProviderRateLimited,
    ),
    key="symbol, or provider",
    producer="relay",
    consumers=(AUDIT,),
    retention=RETAIN_FOREVER,
    watchers=("gateway",),
)
OPS_EVENTS = Topic(
    "ops.events",
    carries=(
        operator_events.OpsReplayed,
        operator_events.OpsRedriven,
        operator_events.OpsDiscarded,
        operator_events.OpsConsumerResumed,
        operator_events.OpsConsumerInstructed,
        operator_events.OpsRecovered,
    ),
    key="topic that was worked on",
    producer="operator",
    consumers=(AUDIT,),
    retention=RETAIN_FOREVER,
)
AUDIT_CHECKPOINTS = Topic(
    "audit.checkpoints",
    carries=(events.AuditCheckpointed,),
    key="audit",
    producer="audit",
    consumers=(),
    retention=RETAIN_FOREVER,
    partitions=1,
)

TOPICS = (
    SIGNUP_COMMANDS,
    SIGNIN_COMMANDS,
    ACCOUNTS_COMMANDS,
    PASSWORDS_COMMANDS,
    VERIFICATION_COMMANDS,
    WATCHLIST_COMMANDS,
    QUOTES_COMMANDS,
    USERS_EVENTS,
    WATCHLISTS_EVENTS,
    QUOTES_EVENTS,
    OPS_EVENTS,
    AUDIT_CHECKPOINTS,
)
CARRIED_BY: dict[type[Message], Topic] = {m: topic for topic in TOPICS for m in topic.carries}
MESSAGES: dict[str, type[Message]] = {message.type: message for message in CARRIED_BY}


def topics_of(consumer: Consumer) -> tuple[Topic, ...]:
    """The logical topics that a consumer reads."""
    return tuple(topic for topic in TOPICS if consumer in topic.consumers)


def takes_commands(consumer: Consumer) -> bool:
    """Whether a consumer executes commands, each of which has an outcome in the end."""
    return consumer.inbox and any(
        issubclass(message, Command) for topic in topics_of(consumer) for message in topic.carries
    )
