"""``tandem install``: the home of one server."""

from pathlib import Path

import click

from tandem.admin.keeping.install import install_server
from tandem.cli.common import FILE, JSON, print_json


@click.command()
@FILE
@click.argument("server")
@click.option(
    "--to",
    "home",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The server's home: a folder that is new, empty, or this server's.",
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The server's password, if it is not in the secrets folder any more.",
)
@click.option(
    "--owner", metavar="ACCOUNT", help="As root: the account that the server runs as; default: the owner of the folder."
)
@JSON
def install(file: Path, server: str, home: Path, password_file: Path | None, owner: str | None, as_json: bool) -> None:
    """Make a home for the server SERVER (its FQDN) of FILE's organization, for 'tandem serve --home'.

    The home holds this server's password, certificate and key, the roots that it trusts, where the directory is, and for a UM
    server the key of all PINs: no other account's password, no other server's key, not the authority's. Copy it to the
    server's machine as it is. Run it again after a renewal; what the server has made there is kept.

    \b
    Example:
      tandem install example/organization.yaml um1.example.com --to um1-home
    """
    made = install_server(file, server, home, password_file=password_file, owner=owner)
    if as_json:
        print_json(made.to_json())
        return
    click.echo(f"{made.home}  the home of {made.server}; its files belong to {made.owner}")
    if made.shared_directory:
        click.echo(
            f"It uses the embedded directory {made.shared_directory}, so it runs on this machine. All servers here read "
            "and write that one file: they are not apart from each other (docs/operations.md)."
        )
    click.echo(f"Start it: tandem serve {made.kind} {made.server} --home {home}")
