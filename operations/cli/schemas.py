"""`qnt9 schemas`: what is generated from the contracts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from operations.cli.options import fail

FOLDER = Path("schemas")


@click.command(epilog="Example: qnt9 schemas --check")
@click.option(
    "--check",
    is_flag=True,
    help="Change nothing; exit code 1 if something is stale or incompatible.",
)
@click.option(
    "--release", is_flag=True, help="Record the contracts as released: from now on they only grow."
)
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
def schemas(*, check: bool, release: bool, folder: Path) -> None:
    """Generate message schemas, AsyncAPI and OpenAPI."""
    try:
        from operations import schemas as generator  # noqa: PLC0415  # no process needs its packages
    except ModuleNotFoundError as error:
        raise fail(f"{error.name} is a development package: make .venv/dev") from error
    pages = {
        folder.parent / "README.md": generator.with_message_table,
        folder.parent / "docs" / "threat-model.md": generator.with_rights_tables,
    }
    if not folder.is_dir() or not all(page.is_file() for page in pages):
        raise fail(
            f"{folder}/ is no folder of a checkout: the schemas are made where the source is"
        )
    if check:
        _compare(generator.faults(folder), pages)
        click.echo(f"{folder}/ is what the contracts say")
        return
    if release:
        try:
            generator.release(folder)
        except generator.BreakingError as error:
            raise fail(f"{error}\nsee docs/api-versioning.md") from error
    written = ", ".join(str(page) for page in pages)
    click.echo(f"{generator.write(folder)} files in {folder}/, and the tables in {written}")
    for page, generated in pages.items():
        page.write_text(generated(page.read_text(encoding="utf-8")), encoding="utf-8")


def _compare(faults: Sequence[str], pages: Mapping[Path, Callable[[str], str]]) -> None:
    """Fail with what is stale or incompatible, if anything is."""
    found = list(faults)
    for page, generated in pages.items():
        text = page.read_text(encoding="utf-8")
        if generated(text) != text:
            found.append(f"{page}: a table differs from the contracts")
    if found:
        hint = "run `make schemas` and commit the result; for a break see docs/api-versioning.md"
        raise fail("\n".join([*found, hint]))
