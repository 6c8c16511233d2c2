"""``tandem init``: an example organization to begin with."""

from pathlib import Path

import click

from tandem.admin.deploy.organization import initialize


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a commented organization file for example.com into FOLDER, and an empty directory.

    FOLDER must be new or empty. Passwords are made at random, one file each (mode 600) in FOLDER/secrets: now that of the
    initial administrator, in phase 0 those of the other accounts.

    \b
    Example:
      tandem init example
      tandem plan example/organization.yaml --from-secrets
    """
    organization = initialize(folder)
    click.echo(
        f"{folder / 'organization.yaml'}  the organization of {organization.forests[0].name}: change it to yours"
    )
    click.echo(f"{folder / 'secrets'}  the password of the initial administrator, readable by you only")
    click.echo(f"{folder / 'state'}  the embedded directory, with its initial administrator")
    click.echo(f"Next: tandem plan {folder / 'organization.yaml'} --from-secrets")
