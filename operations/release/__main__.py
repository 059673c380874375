"""`python -m operations.release sbom|audit|pin-images|vendor`."""

from pathlib import Path

import click

from operations.release import audit as audits
from operations.release import images, sbom, vendored

ROOT = Path()


@click.group()
def main() -> None:
    """Make what a release carries besides its code, in a checkout."""


@main.command("sbom", epilog="Example: make sbom")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("build/sbom"))
def make_sbom(folder: Path) -> None:
    """Write bills of materials (CycloneDX) into FOLDER."""
    try:
        for path in sbom.write(ROOT, folder):
            click.echo(path)
    except (sbom.SbomError, OSError) as error:
        raise click.ClickException(str(error)) from error


@main.command("audit", epilog="Example: make audit")
@click.argument("lock", type=click.Choice(sbom.LOCKS), default="embedded")
def make_audit(lock: str) -> None:
    """Look for known vulnerabilities. Exit code 1: some are known; 3: it could not run."""
    verdict = audits.audit(ROOT / "requirements" / f"{lock}.txt")
    for line in verdict.lines:
        click.echo(line, err=bool(verdict.code))
    raise SystemExit(verdict.code)


@main.command("pin-images", epilog="Example: make pin-images")
@click.argument(
    "target", type=click.Path(path_type=Path), default=Path("build/compose.images.yaml")
)
def pin_images(target: Path) -> None:
    """Write TARGET, which names images of compose.yaml by digest. Needs Docker and a network."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        count = images.write(ROOT / "compose.yaml", target)
    except (images.ImagesError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target} names the images of {count} services by digest")


@main.command("vendor", epilog="Example: make vendor")
@click.argument("folder", type=click.Path(path_type=Path), default=vendored.FOLDER)
def vendor(folder: Path) -> None:
    """Fetch the files of FOLDER from npm, as its vendored.json names them. Needs npm."""
    try:
        for path in vendored.update(folder):
            click.echo(path)
    except (vendored.VendorError, OSError) as error:
        raise click.ClickException(str(error)) from error


main()
