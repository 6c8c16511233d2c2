"""``tandem journal``: who changed what, and when."""

from itertools import zip_longest
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
    for line, following in zip_longest(lines, lines[1:]):
        ended = following is not None and following["task"] == line["task"] and line["state"] == "begun"
        if ended:
            continue  # the next line says how
        state = {"done": "", "begun": "  begun, and never ended: what follows may have been changed"}.get(
            line["state"], f"  {line['state']}"
        )
        click.echo(f"{line['at'][:19]}Z  {line['who']}  {line['task']}{state}")
        for change in line["changes"]:
            click.echo(f"    {change}")
