"""Which dead letters an operator means."""

from dataclasses import dataclass, field
from datetime import datetime

from operations.dead_letters.topic import Letter
from operations.redaction import Wanted


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """What a letter must have; None is any. Times are of its last failure: from, and before."""

    record: Wanted = field(default_factory=Wanted)
    failure: str | None = None
    """Words in the reason why it was set aside, whatever their case."""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_anything(self) -> bool:
        return self == LetterFilter()

    def matches(self, letter: Letter) -> bool:
        if self.failure is not None and self.failure.casefold() not in letter.reason.casefold():
            return False
        if self.since and letter.last_failure < self.since:
            return False
        if self.until and letter.last_failure >= self.until:
            return False
        return self.record.matches(letter.record)
