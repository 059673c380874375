"""Times as options: `2026-11-03T03:00Z`, `2h` (ago), `now` or `beginning`."""

from datetime import UTC, datetime
from typing import Any

import click

from operations.replay.offset_spec import Moment, point_of


class TimeType(click.ParamType[datetime]):
    """A time, an age, `beginning` or `now`; no offset."""

    name = "T"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value)
        try:
            point = point_of(text, datetime.now(UTC))
        except ValueError:
            point = None
        if point is None or (text.isascii() and text.isdigit()):
            self.fail(f"{text!r} is no time such as 2026-11-03T03:00Z or 90m (ago)", param, ctx)
        milliseconds = point.milliseconds if isinstance(point, Moment) else 0
        return datetime.fromtimestamp(milliseconds / 1000, UTC)


TIME = TimeType()
