"""Which dead letters an operator means."""

from dataclasses import dataclass, field
from datetime import datetime

from operations.dead_letters.topic import DeadLetter
from operations.redaction import Wanted


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """What a dead letter must have; None is any. Times are of its last failure."""

    record: Wanted = field(default_factory=Wanted)
    failure: str | None = None
    """Words in the reason why it was set aside, whatever their case."""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_anything(self) -> bool:
        return self == DeadLetterFilter()

    def matches(self, dead_letter: DeadLetter) -> bool:
        if (
            self.failure is not None
            and self.failure.casefold() not in dead_letter.reason.casefold()
        ):
            return False
        if self.since and dead_letter.last_failure < self.since:
            return False
        if self.until and dead_letter.last_failure >= self.until:
            return False
        return self.record.matches(dead_letter.record)
