"""``tandem runbook``: what people carry out on Exchange and Lync servers."""

from pathlib import Path
from typing import cast

import click

from tandem.cli.common import FILE
from tandem.org.load import require_organization
from tandem.pki.files import write_whole
from tandem.process.phases import TEAMS
from tandem.process.runbook.model import Language
from tandem.process.runbook.render import RENDERERS
from tandem.process.runbook.steps import for_team, runbook_steps


@click.command()
@FILE
@click.option("--for", "team", type=click.Choice([*TEAMS, "all"]), default="all", help="One team's share.")
@click.option("--format", "format_", type=click.Choice(list(RENDERERS)), default="md", help="Text, page or script.")
@click.option("--lang", type=click.Choice(["en", "fr"]), default="en", help="English or French.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file; otherwise standard output.")
def runbook(file: Path, team: str, format_: str, lang: str, out: Path | None) -> None:
    """Write the runbook of the organization in FILE for servers of kind exchange and lync: by phase and team.

    Each step has the roles that it needs, its commands, which may be run again, and the check after it. The script (ps1)
    takes -WhatIf, and -Step to run some steps only; each team runs its own in its own shell. What was carried out is
    recorded with 'tandem confirm'. Needs no directory.

    \b
    Examples:
      tandem runbook contoso/organization.yaml --for exchange --format ps1 --out exchange.ps1
      tandem runbook contoso/organization.yaml --for voice --format html --lang fr --out voix.html
    """
    organization = require_organization(file)
    steps = for_team(runbook_steps(organization), team)
    if not steps:
        click.echo("There is nothing to do by hand: no server of kind exchange or lync for this team.", err=True)
    text = RENDERERS[format_](steps, organization, cast(Language, lang))
    if out:
        # Windows PowerShell 5.1 takes a script without a byte order mark for the system's code page.
        write_whole(out, text.encode("utf-8-sig" if format_ == "ps1" else "utf-8"))
    else:
        click.echo(text, nl=False)
