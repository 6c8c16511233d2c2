"""``tandem journal``: who changed what, and when."""

from pathlib import Path

import click

from tandem.cli.common import FILE, JSON, print_json
from tandem.org.load import require_organization
from tandem.process.journal import Journal


@click.command()
@FILE
@JSON
def journal(file: Path, as_json: bool) -> None:
    """Show every applied change, agreement, confirmation and refusal, oldest first.

    Checks that no line was altered: each holds the hash of the one before.

    \b
    Example:
      tandem journal example/organization.yaml
    """
    lines = Journal(path=require_organization(file).state / "journal.jsonl").lines()
    if as_json:
        print_json(lines)
        return
    for line in lines:
        if line["state"] != "begun":
            state = "" if line["state"] == "done" else f"  {line['state']}"
            click.echo(f"{line['at'][:19]}Z  {line['who']}  {line['task']}{state}")
            for change in line["changes"]:
                click.echo(f"    {change}")
