"""``tandem drift``: where the directory is not as declared. Can only read."""

from itertools import groupby
from pathlib import Path

import click
from rich.markup import escape

from tandem.cli.common import AS, FILE, JSON, PASSWORD_FILE, console, open_as, print_json
from tandem.process.drift import find_drift


@click.command()
@FILE
@AS
@PASSWORD_FILE
@JSON
def drift(file: Path, account: str, password_file: Path | None, as_json: bool) -> None:
    """Show where the directory differs from the organization in FILE, and what stands there beside it.

    The directory is opened for reading only, whoever acts.

    Exit code 0: no difference; 3: there are differences; 1: error.

    \b
    Example:
      tandem drift example/organization.yaml || mail -s drift voice-team@example.com
    """
    found = find_drift(open_as(file, account, password_file, read_only=True))
    if as_json:
        print_json([each.as_json() for each in found])
    else:
        out = console()
        for phase, group in groupby(found, key=lambda each: each.phase):
            out.print(f"[bold]{phase.number:>2}  {phase.title}[/]")
            for each in group:
                out.print(f"      {escape(each.what)}")
        out.print(f"{len(found)} difference(s)." if found else "No drift: the directory is as declared.")
    raise click.exceptions.Exit(3 if found else 0)
