"""Where a range begins and ends, as an option."""

from datetime import UTC, datetime
from typing import Any

import click

from operations.replay.offset_spec import Point, point_of


class PointType(click.ParamType[Point]):
    """An offset, a time, an age, `beginning` or `now`."""

    name = "T|OFFSET"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Point:
        try:
            return point_of(str(value), datetime.now(UTC))
        except ValueError as error:
            self.fail(str(error), param, ctx)


POINT = PointType()
