"""`qnt9`: runs the system on one machine, and serves its operators."""

import click

from infra.cli import maintain, system


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: qnt9 up, then qnt9 status in another terminal",
)
@click.version_option(package_name="qnt9")
def main() -> None:
    """QNT9: accounts, quotes and watchlists behind a gateway, on Kafka."""


for command in (
    system.up,
    system.down,
    system.status,
    system.stop,
    system.start,
    system.restart,
    maintain.migrate,
    maintain.topics,
    maintain.keys,
):
    main.add_command(command)
