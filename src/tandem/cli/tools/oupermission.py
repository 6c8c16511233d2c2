"""``tandem ou-permission``: the rights of the voice side on an OU, as Grant-, Test- and Revoke-CsOUPermission."""

from collections.abc import Sequence
from pathlib import Path

import click

from tandem.admin.opening import Operator, open_organization
from tandem.admin.tools import oupermission as admin
from tandem.cli.common import FILE, JSON, console, operator_options, print_json
from tandem.cli.show import show_changes
from tandem.process.task import Change

TYPES = click.option(
    "--type",
    "types",
    multiple=True,
    required=True,
    type=click.Choice(admin.TYPES, case_sensitive=False),
    help="Object type; up to three.",
)
OU = click.option("--ou", required=True, metavar="DN", help="The OU; its whole subtree is covered.")


@click.group("ou-permission")
def ou_permission() -> None:
    """Grant, test or revoke the voice side's rights on an OU whose inheritance is blocked.

    As Grant-CsOUPermission: needed where the rights at the domain's root do not reach an OU. Granting and
    revoking take a directory administrator (Domain Admins or Enterprise Admins of the OU's forest).
    """


@ou_permission.command()
@FILE
@TYPES
@OU
@operator_options
def grant(file: Path, types: tuple[str, ...], ou: str, operator: Operator) -> None:
    """Add the rights that are missing on the OU. Running it again changes nothing.

    \b
    Example:
      tandem ou-permission grant example/organization.yaml --type Contact --ou "OU=UM Contacts,DC=example,DC=com"
    """
    _show(admin.grant(open_organization(file, operator), types, ou))


@ou_permission.command()
@FILE
@TYPES
@OU
@operator_options
def revoke(file: Path, types: tuple[str, ...], ou: str, operator: Operator) -> None:
    """Remove what was granted on the OU itself; what it inherits stays.

    \b
    Example:
      tandem ou-permission revoke example/organization.yaml --type Contact --ou "OU=UM Contacts,DC=example,DC=com"
    """
    _show(admin.revoke(open_organization(file, operator), types, ou))


@ou_permission.command()
@FILE
@TYPES
@OU
@operator_options
@JSON
def test(file: Path, types: tuple[str, ...], ou: str, operator: Operator, as_json: bool) -> None:
    """Say for each type whether the OU has, or inherits, what the voice side needs there.

    Exit code 0: every type has; 3: one has not; 1: error.

    \b
    Example:
      tandem ou-permission test example/organization.yaml --type User --type Contact --ou "OU=People,DC=example,DC=com"
    """
    found = admin.test(open_organization(file, operator, read_only=True), types, ou)
    if as_json:
        print_json(found.to_json())
    else:
        for name, holds in found.granted.items():
            click.echo(f"{name}: {holds}")
    raise click.exceptions.Exit(0 if found.complete else 3)


def _show(changes: Sequence[Change]) -> None:
    out = console()
    show_changes(changes, out)
    out.print(f"{len(changes)} change(s)." if changes else "Nothing to do.")
