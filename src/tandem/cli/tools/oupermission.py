"""``tandem ou-permission``: the rights of the voice side on an OU, as Grant-, Test- and Revoke-CsOUPermission."""

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from tandem.cli.common import AS, FILE, JSON, PASSWORD_FILE, console, open_as, print_json
from tandem.cli.show import show_changes
from tandem.directory.dn import DN
from tandem.directory.errors import BadName
from tandem.directory.layout import forest_of
from tandem.process.apply import carry_out
from tandem.process.errors import ProcessError
from tandem.process.holders import require
from tandem.process.roles import DIRECTORY_ADMINS
from tandem.process.task import Context, Step
from tandem.process.tools import oupermission as tool

TYPES = click.option(
    "--type",
    "types",
    multiple=True,
    required=True,
    type=click.Choice(sorted(tool.TYPES), case_sensitive=False),
    help="Object type; up to three.",
)
OU = click.option("--ou", "ou_text", required=True, metavar="DN", help="The OU; its whole subtree is covered.")


@click.group("ou-permission")
def ou_permission() -> None:
    """Grant, test or revoke the voice side's rights on an OU whose inheritance is blocked.

    As Grant-CsOUPermission: needed where the rights that stand at the domain's root do not reach an OU. Granting and
    revoking take a directory administrator (Domain Admins or Enterprise Admins of the OU's forest).
    """


@ou_permission.command()
@FILE
@TYPES
@OU
@AS
@PASSWORD_FILE
def grant(file: Path, types: tuple[str, ...], ou_text: str, account: str, password_file: Path | None) -> None:
    """Add the rights that are missing on the OU. Running it again changes nothing.

    \b
    Example:
      tandem ou-permission grant example/organization.yaml --type Contact --ou "OU=UM Contacts,DC=example,DC=com"
    """
    _change(open_as(file, account, password_file), types, _ou(ou_text), tool.grant_steps)


@ou_permission.command()
@FILE
@TYPES
@OU
@AS
@PASSWORD_FILE
def revoke(file: Path, types: tuple[str, ...], ou_text: str, account: str, password_file: Path | None) -> None:
    """Take away what was granted on the OU itself; what it inherits stays.

    \b
    Example:
      tandem ou-permission revoke example/organization.yaml --type Contact --ou "OU=UM Contacts,DC=example,DC=com"
    """
    _change(open_as(file, account, password_file), types, _ou(ou_text), tool.revoke_steps)


@ou_permission.command()
@FILE
@TYPES
@OU
@AS
@PASSWORD_FILE
@JSON
def test(
    file: Path, types: tuple[str, ...], ou_text: str, account: str, password_file: Path | None, as_json: bool
) -> None:
    """Say for each type whether the OU has, or inherits, what the voice side needs there.

    Exit code 0: every type has; 3: one has not; 1: error.

    \b
    Example:
      tandem ou-permission test example/organization.yaml --type User --type Contact --ou "OU=People,DC=example,DC=com"
    """
    _few(types)
    context = _at(open_as(file, account, password_file, read_only=True), _ou(ou_text))
    results = {name: tool.granted(context, name, _ou(ou_text)) for name in types}
    if as_json:
        print_json(results)
    else:
        for name, holds in results.items():
            click.echo(f"{name}: {holds}")
    raise click.exceptions.Exit(0 if all(results.values()) else 3)


def _ou(text: str) -> DN:
    try:
        return DN.parse(text)
    except BadName as error:
        raise click.BadParameter(f"--ou: {error}") from None


def _few(types: tuple[str, ...]) -> None:
    if len(types) > tool.MOST_TYPES:
        raise click.BadParameter(f"--type: {len(types)} types; at most {tool.MOST_TYPES} at once")


def _at(context: Context, ou: DN) -> Context:
    forest = forest_of(ou)
    if forest not in [each.name for each in context.organization.forests]:
        raise ProcessError(f"{ou} is in no forest of the organization")
    return context.at(forest)


def _change(
    context: Context, types: tuple[str, ...], ou: DN, steps: Callable[[Context, str, DN], Iterator[Step]]
) -> None:
    _few(types)
    context = _at(context, ou)
    require(context, DIRECTORY_ADMINS, forest=context.layout.forest, what="ou-permission")
    made = carry_out(context, "ou-permission", (step for name in types for step in steps(context, name, ou)))
    out = console()
    show_changes(made, out)
    out.print(f"{len(made)} change(s)." if made else "Nothing to do.")
