"""`qnt9`: runs the system on one machine, and serves its operators."""

from importlib import import_module

import click

COMMANDS = {
    "up": "up",
    "status": "parts",
    "stop": "parts",
    "start": "parts",
    "restart": "parts",
    "down": "parts",
    "migrate": "maintain",
    "topics": "topics",
    "lag": "lag",
    "tail": "tail",
    "replay": "replay",
    "dlq": "dlq",
    "keys": "maintain",
    "schemas": "schemas",
    "audit": "audit",
    "config": "config",
}
"""Each command and the module of this package that has it, imported when it is asked for."""


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"infra.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: qnt9 up, then qnt9 status in another terminal",
)
@click.version_option(package_name="qnt9")
def main() -> None:
    """QNT9: accounts, quotes and watchlists behind a gateway, on Kafka."""
