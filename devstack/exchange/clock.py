import time


class Clock:
    """The time on the exchange: the real one, until it is set; then it stands still."""

    def __init__(self) -> None:
        self._set: float | None = None

    def now(self) -> float:
        return time.time() if self._set is None else self._set

    @property
    def is_set(self) -> bool:
        return self._set is not None

    def set(self, now: float) -> None:
        self._set = now

    def reset(self) -> None:
        self._set = None
