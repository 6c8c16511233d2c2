"""``tandem runbook``: what people carry out on Exchange and Lync servers."""

from pathlib import Path
from typing import cast

import click

from tandem.admin.deploy import runbook as admin
from tandem.cli.common import FILE
from tandem.pki.files import write_whole
from tandem.process.phases import TEAM_WORDS
from tandem.process.runbook.model import Language
from tandem.process.runbook.render import RENDERERS


@click.command()
@FILE
@click.option("--for", "team", type=click.Choice([*TEAM_WORDS, "all"]), default="all", help="One team's share.")
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
    written = admin.write_runbook(file, team=team, format=format_, language=cast(Language, lang))
    if not written.steps:
        click.echo("There is nothing to do by hand: no server of kind exchange or lync for this team.", err=True)
    if out:
        write_whole(out, written.as_file())
    else:
        click.echo(written.text, nl=False)
