"""The commands that make and check a release. Run in a checkout: `python -m operations.release`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from operations.release import artefacts, commit_messages, images, sbom, vendored, versions
from operations.release import audit as audits

ROOT = Path()


@click.group()
def main() -> None:
    """Make and check a release, in a checkout. See docs/releasing.md."""


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
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1)
def vendor(folders: tuple[Path, ...]) -> None:
    """Fetch the files of FOLDERS (all) from npm, as each vendored.json names them. Needs npm."""
    try:
        for folder in folders or vendored.FOLDERS:
            for path in vendored.update(folder):
                click.echo(path)
    except (vendored.VendorError, OSError) as error:
        raise click.ClickException(str(error)) from error


@main.command("prepare", epilog="Example: make release-prepare VERSION=0.2.0")
@click.argument("version")
def prepare_release(version: str) -> None:
    """Write VERSION into pyproject.toml and CHANGELOG.md. Commits nothing."""
    try:
        if changed := artefacts.uncommitted_changes(ROOT):
            raise click.ClickException(f"there are uncommitted changes: {', '.join(changed[:5])}")
        for path in versions.prepare(ROOT, version, datetime.now(UTC).date()):
            click.echo(path)
    except (versions.VersionError, artefacts.BuildError) as error:
        raise click.ClickException(str(error)) from error


@main.command("build", epilog="Example: make release ARGS=--no-image")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("build/release"))
@click.option("--image/--no-image", default=True, help="Build the image too. Needs Docker.")
def build_release(folder: Path, *, image: bool) -> None:
    """Build wheel, bills of materials, image and checksums of the last commit into FOLDER."""
    try:
        if changed := artefacts.uncommitted_changes(ROOT):
            raise click.ClickException(f"there are uncommitted changes: {', '.join(changed[:5])}")
        click.echo(artefacts.build_wheel(ROOT, folder))
        for path in sbom.write(ROOT, folder):
            click.echo(path)
        if image:
            version = versions.current_version((ROOT / "pyproject.toml").read_text("utf-8"))
            click.echo(f"image {artefacts.build_image(ROOT, version)}")
            images.write(ROOT / "compose.yaml", folder / "compose.images.yaml")
        click.echo(artefacts.write_checksums(folder))
    except (
        *(artefacts.BuildError, images.ImagesError, sbom.SbomError),
        *(versions.VersionError, OSError),
    ) as error:
        raise click.ClickException(str(error)) from error


@main.command("check-message")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
def check_message(file: Path) -> None:
    """Check the commit message in FILE, as git's commit-msg hook gives it."""
    _report(commit_messages.violations(file.read_text("utf-8")))


@main.command("check-commits", epilog="Example: make check-commits RANGE=origin/main..HEAD")
@click.argument("commits")
def check_commits(commits: str) -> None:
    """Check the messages of a range of COMMITS."""
    try:
        _report(commit_messages.violations_of_range(ROOT, commits))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _report(violations: list[str]) -> None:
    for violation in violations:
        click.echo(violation, err=True)
    raise SystemExit(bool(violations))


main()
