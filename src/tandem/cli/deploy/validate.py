"""``tandem validate``: every mistake in an organization file at once."""

from pathlib import Path

import click

from tandem.admin.deploy import organization as admin
from tandem.cli.common import FILE, JSON, print_json
from tandem.cli.said import LANG, said, speech
from tandem.org.errors import Severity


@click.command()
@FILE
@JSON
@LANG
def validate(file: Path, as_json: bool) -> None:
    """Check the organization FILE and show every mistake: place, key, what was found, what is expected.

    Exit code 0: it can be used (there may be warnings); 1: it has errors.

    \b
    Example:
      tandem validate example/organization.yaml
    """
    found = admin.validate(file)
    if as_json:
        print_json(found.to_json())
    else:
        for finding in found.findings:
            click.echo(speech().finding(finding))
        counted = f"{found.count(Severity.ERROR)} error(s), {found.count(Severity.WARNING)} warning(s)"
        read = f", {found.users} user(s) read" if found.users or found.usable else ""
        click.echo(said(f"{file}: {counted}{read}"))
    raise click.exceptions.Exit(0 if found.usable else 1)
