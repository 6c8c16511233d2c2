"""``tandem directory``: the embedded directory itself."""

from pathlib import Path

import click

from tandem.cli.common import FILE
from tandem.core.ids import SystemIds
from tandem.directory import objects as o
from tandem.directory.filters import escape
from tandem.org.load import require_organization
from tandem.process.bootstrap import create_directory
from tandem.process.errors import ProcessError
from tandem.wiring import Home, bind


@click.group()
def directory() -> None:
    """Make the embedded directory; read a phone's secret from it."""


@directory.command()
@FILE
def create(file: Path) -> None:
    """Make the embedded directory for an organization FILE of your own, and the secrets that are missing.

    \b
    Example:
      tandem directory create mine/organization.yaml
    """
    organization = require_organization(file)
    made = create_directory(organization, SystemIds())
    click.echo(f"{organization.directory}  made; {len(made)} new secret(s) in {organization.secrets}")


@directory.command("sip-secret")
@FILE
@click.argument("server")
@click.argument("address")
def sip_secret(file: Path, server: str, address: str) -> None:
    """Print the SIP secret of ADDRESS, for setting up a phone, as the voice SERVER (its FQDN) may read it.

    \b
    Example:
      tandem directory sip-secret example/organization.yaml pool1.example.com alice@example.com
    """
    repository = bind(Home(folder=file.resolve().parent), server)
    found = repository.find(o.User, f"(msRTCSIP-PrimaryUserAddress={escape(f'sip:{address}')})")
    secret = repository.sip_secret(found[0]) if found else ""
    if not secret:
        raise ProcessError(f"{server} can read no SIP secret of {address}: no such user, or not enabled (phase 0)")
    click.echo(secret)
