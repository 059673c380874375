"""What the commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from devstack.supervisor.options import DEFAULT_FOLDER
from operations.message_types import unknown_type

F = TypeVar("F", bound=Callable[..., Any])


def _absolute(_: click.Context, __: click.Parameter, value: Path) -> Path:
    return value.expanduser().absolute()


def data_option(command: F) -> F:
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=DEFAULT_FOLDER,
        envvar="QNT9_DATA",
        show_default=True,
        show_envvar=True,
        callback=_absolute,
        help="The data folder of the system.",
    )(command)


def check_type(type_: str | None, topic: str) -> None:
    """Raises a usage error for a type that no record of the topic can have."""
    if type_ is not None and (fault := unknown_type(type_, topic)):
        raise click.BadParameter(fault, param_hint="--type")


def fail(message: str) -> click.ClickException:
    """Exit code 1, with the reason on stderr."""
    return click.ClickException(message)
