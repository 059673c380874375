"""What was asked and what was answered, kept by the clients: it knows nothing of the system.

A request id goes with each command and comes back on every event that the command causes.
"""

from dataclasses import dataclass, field
from enum import Enum
from uuid import uuid4

from contracts import events
from tests.support.chaos.canaries import Secrets


class Kind(Enum):
    """A command as its client sees it: the answers that mean success, the events it can cause.

    A sign-up that is handled again when its address is verified causes the second of its two.
    """

    SIGN_UP = ({202}, events.UserSignedUp, events.UserSignupRepeated)
    VERIFY = ({200, 202}, events.UserEmailVerified)
    SIGN_IN = ({200}, events.UserSignedIn)
    SIGN_IN_WRONG = ({401}, events.UserSigninFailed)
    PUT = ({200, 201, 202}, events.WatchlistItemAdded)
    DELETE = ({204, 202}, events.WatchlistItemRemoved)

    def __init__(self, acknowledged: set[int], *caused: type[events.Event]) -> None:
        self.acknowledged = acknowledged
        self.caused = [event.type for event in caused]


class Verdict(Enum):
    """What a client knows in the end."""

    OK = "acknowledged"
    FAILED = "never sent, or refused"
    INDETERMINATE = "nobody knows"


@dataclass(eq=False)
class Entry:
    """One command, however often its request was sent."""

    kind: Kind
    email: str
    symbol: str = ""
    note: str | None = None
    changes: bool | None = True
    """Whether it must have an effect. None: it depends on a command that nobody knows about."""
    verdict: Verdict = Verdict.FAILED
    requests: int = 0
    location: str | None = None
    """Where to ask what became of it, until it is settled."""
    unexpected: str = ""
    """An answer that the contract does not have here."""
    request_id: str = field(default_factory=lambda: uuid4().hex)

    def doubt(self) -> None:
        """A request was cut off: nobody knows, unless another one was answered."""
        if self.verdict is not Verdict.OK:
            self.verdict = Verdict.INDETERMINATE

    @property
    def name(self) -> str:
        return f"{self.kind.name} {self.symbol or self.email} ({self.request_id})"

    def effects(self) -> tuple[int, int]:
        """How many effects it may have had: at least, at most."""
        match self.verdict:
            case Verdict.FAILED:
                return 0, 0
            case Verdict.OK if self.changes is not None:
                return int(self.changes), int(self.changes)
        return 0, int(self.changes is not False)


@dataclass(frozen=True)
class Cut:
    """A request that got no answer although somebody listened."""

    name: str
    began: float
    ended: float


@dataclass(frozen=True)
class Closed:
    """Commands that nobody will ask again, and clients that have left."""

    entries: list[Entry]
    gone: list[str]


@dataclass
class Ledger:
    """Every command of a run, in the order in which each client sent its own."""

    entries: list[Entry] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    secrets: Secrets = field(default_factory=Secrets)
    ended: int = 0
    _to_evaluate: list[Entry] = field(default_factory=list)
    _gone: list[str] = field(default_factory=list)

    def open(self, entry: Entry) -> Entry:
        self.entries.append(entry)
        return entry

    def close(self, entry: Entry) -> None:
        """Its client will not ask again."""
        self.ended += 1
        self._to_evaluate.append(entry)

    def leave(self, email: str) -> None:
        """This client's life is over, and the end of every command of its own is known."""
        self._gone.append(email)

    def take(self) -> Closed:
        """What can be judged since this was last asked."""
        taken = Closed(self._to_evaluate, self._gone)
        self._to_evaluate, self._gone = [], []
        return taken

    @property
    def in_flight(self) -> int:
        return len(self.entries) - self.ended

    def count(self, verdict: Verdict) -> int:
        return sum(entry.verdict is verdict for entry in self.entries)

    def figures(self) -> dict[str, object]:
        """For people."""
        counts = {verdict.value: self.count(verdict) for verdict in Verdict}
        requests = sum(entry.requests for entry in self.entries)
        return {"commands": len(self.entries), "requests": requests, **counts}

    def of(self, kind: Kind) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind is kind]
