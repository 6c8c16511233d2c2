"""``tandem journal``: who changed what, and when."""

from pathlib import Path

import click

from tandem.admin.deploy import journal as admin
from tandem.cli.common import FILE, JSON, print_json


@click.command()
@FILE
@JSON
def journal(file: Path, as_json: bool) -> None:
    """Show every applied change, agreement, confirmation and refusal, oldest first.

    Checks that no line was altered: each holds the hash of the one before. That finds accidents. Who may write
    the file can make the whole chain again, or cut off its end: compare the last hash with the one that each
    apply has sent to the system's log (journalctl -t tandem).

    \b
    Example:
      tandem journal example/organization.yaml
    """
    found = admin.read_journal(file)
    if as_json:
        print_json(found.to_json())
        return
    for line in found.ended():
        state = {"done": "", "begun": "  begun, and never ended: some of what follows may have been changed"}.get(
            line["state"], f"  {line['state']}"
        )
        click.echo(f"{line['at'][:19]}Z  {line['who']}  {line['task']}{state}")
        for change in line["changes"]:
            click.echo(f"    {change}")
    if found.lines:
        click.echo(f"Hash of the last of {len(found.lines)} lines: {found.lines[-1]['hash']}")
