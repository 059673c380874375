"""One log event for many dead letters: enough to know why, never one for each."""

from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic

import structlog

from infra.messaging.batch_progress import SetAside

log = structlog.get_logger(__name__)

EVERY_SECONDS = 5.0
MAX_REASONS = 12
"""Most frequent first. A burst of many sorts of bad records hides none of them."""


class DeadLetterLog:
    """Logs the dead letters of one consumer: the first at once, then at most every 5 seconds."""

    def __init__(self, consumer: str, now: Callable[[], float] = monotonic) -> None:
        self._consumer = consumer
        self._now = now
        self._logged_at = float("-inf")
        self._reasons: Counter[str] = Counter()
        self._last: SetAside | None = None

    def add(self, dead_letters: Sequence[SetAside]) -> None:
        """These were written."""
        if dead_letters:
            self._reasons.update(each.failure.reason for each in dead_letters)
            self._last = dead_letters[-1]
            if self._now() - self._logged_at >= EVERY_SECONDS:
                self.flush()

    def flush(self) -> None:
        """Log what was not logged yet."""
        if self._last is None:
            return
        record = self._last.record
        log.error(
            "dead_letters_written",
            consumer=self._consumer,
            dead_letters=self._reasons.total(),
            reasons=dict(self._reasons.most_common(MAX_REASONS)),
            topic=record.topic,
            partition=record.partition,
            last_offset=record.offset,
            hint="qnt9 dlq list",
        )
        self._logged_at = self._now()
        self._reasons.clear()
        self._last = None
