"""``tandem init``: an example organization to begin with."""

from pathlib import Path

import click

from tandem.admin.deploy.organization import initialize


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a commented organization file for example.com into FOLDER, with secrets and an empty directory.

    FOLDER must be new or empty. Passwords are made at random, one file each (mode 600) in FOLDER/secrets.

    \b
    Example:
      tandem init example
      tandem plan example/organization.yaml
    """
    organization = initialize(folder)
    click.echo(
        f"{folder / 'organization.yaml'}  the organization of {organization.forests[0].name}: change it to yours"
    )
    click.echo(f"{folder / 'secrets'}  passwords of administrators and servers, readable by you only")
    click.echo(f"{folder / 'state'}  the embedded directory, with its initial administrator")
    click.echo(f"Next: tandem plan {folder / 'organization.yaml'}")
