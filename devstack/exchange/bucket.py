"""The limit of requests: a token bucket, and once it is empty a block that sticks."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BucketPolicy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: Positive
    burst: Annotated[int, Field(ge=1)] = 1
    block_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 900
    retry_after: Literal["off", "seconds", "date"] = "off"


class Bucket:
    def __init__(
        self, policy: BucketPolicy | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self.set(policy)

    def set(self, policy: BucketPolicy | None) -> None:
        """From full, and not blocked; None lets everything pass."""
        self.policy = policy
        self._tokens = float(policy.burst) if policy else math.inf
        self._filled_at = self._clock()
        self._blocked_until = -math.inf

    def admits(self) -> bool:
        if self.policy is None:
            return True
        now = self._clock()
        if now < self._blocked_until:
            return False
        gained = (now - self._filled_at) * self.policy.rate
        self._tokens = min(self.policy.burst, self._tokens + gained)
        self._filled_at = now
        if self._tokens < 1:
            self._blocked_until = now + self.policy.block_seconds
            return False
        self._tokens -= 1
        return True

    @property
    def blocked_seconds(self) -> float:
        return max(0.0, self._blocked_until - self._clock())

    def retry_after(self) -> str | None:
        form = self.policy.retry_after if self.policy else "off"
        if form == "off":
            return None
        seconds = math.ceil(self.blocked_seconds)
        if form == "seconds":
            return str(seconds)
        return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
