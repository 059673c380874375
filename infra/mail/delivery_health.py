"""How the other side is with us at the moment: for metrics, health and the log."""

import time
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Gauge

from infra.mail.transport import DeferredError

log = structlog.get_logger(__name__)

AWAY = Gauge("qnt9_mail_server_away", "1 after a mail was deferred, 0 after one was sent")


class DeliveryHealth:
    """What the last mail came to, and until when we were asked to send no other."""

    def __init__(self) -> None:
        self._reason: str | None = None
        self._ours = False
        self._held_until = 0.0

    @property
    def held(self) -> bool:
        """Whether no mail should be tried at the moment."""
        return time.monotonic() < self._held_until

    def taken(self) -> None:
        """The other side took a mail: whatever was wrong is over."""
        AWAY.set(0)
        self._reason, self._ours = None, False

    def deferred(self, error: DeferredError, asked: timedelta) -> None:
        """An operator is called once, not with every mail."""
        AWAY.set(1)
        self._held_until = max(self._held_until, time.monotonic() + asked.total_seconds())
        if error.ours and not self._ours:
            log.error("mail_needs_an_operator", reason=str(error))
        self._reason, self._ours = str(error), error.ours

    def describe(self) -> dict[str, Any]:
        """Return what operators are shown, as JSON."""
        return {"deferred_because": self._reason, "needs_an_operator": self._ours}
