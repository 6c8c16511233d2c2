"""``tandem import`` and ``tandem doctor``: what a directory holds, whether Tandem or Exchange and Lync filled it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tandem.admin.directory import importing as admin
from tandem.admin.opening import Operator
from tandem.cli.common import JSON, reader_options
from tandem.cli.deploy.verify import show_checks
from tandem.process.verify.matrix import Grade


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.argument("directories", metavar="DIRECTORY...", nargs=-1, required=True),
        reader_options,
        click.option(
            "--roots",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Authorities of the domain controllers' certificates, in PEM; default: the system's.",
        ),
    ):
        command = option(command)
    return command


@click.command("import")
@click.option("--observation", is_flag=True, help="DIRECTORY are results of collectors (JSON files), not directories.")
@_options
def import_(directories: tuple[str, ...], operator: Operator, roots: Path | None, observation: bool) -> None:
    """Print the organization file of what DIRECTORY holds: Tandem's own objects, or Exchange's UM and Lync's.

    DIRECTORY is ldaps://HOST of a forest (of several forests, one each, the first one that of your account), or the file of an
    embedded directory. The plan of the printed file is empty for what the directory holds. What is not understood, what is not
    readable there, and what Lync keeps outside of Active Directory is said in comments at its head: nothing is dropped.

    With --observation the file is made from results of collectors alone ('tandem collect'): no directory is opened and nobody
    logs in. Then 'tandem directory create' makes the directory that keeps who may do what, 'tandem observe' takes the same
    results, and the plan is empty but for what a collector cannot see.

    \b
    Examples:
      tandem import --observation exchange.json lync.json > organization.yaml
      tandem import ldaps://dc1.example.com --as administrator > organization.yaml
      tandem import ldaps://dc1.mail.example.com ldaps://dc1.voice.example.net > organization.yaml
    """
    if observation:
        imported = admin.import_observations([Path(each) for each in directories])
    else:
        if results := [each for each in directories if each.lower().endswith(".json")]:
            raise click.UsageError(f"{results[0]} is no directory; for results of collectors give --observation")
        opened = admin.open_directory(directories, operator, roots=roots)
        imported = admin.import_organization(opened, roots=roots)
    click.echo(imported.text, nl=False)
    for note in imported.notes:
        click.echo(f"note: {note}", err=True)


@click.command()
@_options
@JSON
def doctor(directories: tuple[str, ...], operator: Operator, roots: Path | None, as_json: bool) -> None:
    """Run the verification matrix on what DIRECTORY holds, also if Tandem did not deploy it; reads only.

    DIRECTORY as for 'tandem import'. What was not understood is a warning; what depends on a value that the directory does not
    tell is "not readable", which is neither passed nor failed. Exit code 0: nothing failed; 1: something did.

    \b
    Example:
      tandem doctor ldaps://dc1.example.com --as administrator
    """
    verified = admin.examine_organization(admin.open_directory(directories, operator, roots=roots))
    show_checks(verified, as_json=as_json)
    raise click.exceptions.Exit(1 if verified.count(Grade.FAILED) else 0)
