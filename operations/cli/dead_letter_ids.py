"""The numbers of dead letters, as arguments."""

from typing import Any

import click

from operations.dead_letters.topic import Number


class NumberType(click.ParamType[Number]):
    """<topic>.<consumer>:<offset>, or a range of offsets."""

    name = "NUMBER"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Number:
        try:
            return Number.of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


NUMBER = NumberType()
