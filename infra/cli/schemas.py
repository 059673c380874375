"""`qnt9 schemas`: what is generated from the contracts."""

from pathlib import Path

import click

from infra import schemas as generator
from infra.cli.options import fail

FOLDER = Path("schemas")


@click.command(epilog="Example: qnt9 schemas --check")
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 when something is stale.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
def schemas(*, check: bool, folder: Path) -> None:
    """Generate the schemas of every message and the OpenAPI document from the contracts."""
    readme = folder.parent / "README.md"
    text = readme.read_text(encoding="utf-8")
    if not check:
        click.echo(f"{generator.write(folder)} files in {folder}/, and the table in {readme}")
        readme.write_text(generator.with_message_table(text), encoding="utf-8")
        return
    faults = generator.stale(folder)
    if generator.with_message_table(text) != text:
        faults.append(f"{readme}: the message table differs from the contracts")
    if faults:
        raise fail("\n".join([*faults, "run `make schemas` and commit the result"]))
    click.echo(f"{folder}/ is what the contracts say")
