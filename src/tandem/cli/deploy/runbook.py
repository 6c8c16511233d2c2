"""``tandem runbook``: what people carry out on Exchange and Lync servers."""

from pathlib import Path

import click

from tandem.admin.deploy import runbook as admin
from tandem.cli.common import FILE, phase_option
from tandem.cli.said import LANG, Speech, said, speech
from tandem.pki.files import write_whole
from tandem.process.phases import TEAM_WORDS, Phase
from tandem.process.runbook.model import Language
from tandem.process.runbook.writing.formats import RENDERERS, SCRIPTS


@click.command()
@FILE
@click.option("--for", "team", type=click.Choice([*TEAM_WORDS, "all"]), default="all", help="One team's share.")
@click.option("--forest", metavar="FQDN", default="", help="Only the steps of this forest.")
@click.option(
    "--format",
    "format_",
    type=click.Choice([*RENDERERS, SCRIPTS]),
    default="md",
    help="Runbook: md (text), html (page), ps1 (scripts). Report for the change record: report-md, report-html, report-csv.",
)
@LANG
@click.option(
    "--open", "only_open", is_flag=True, help="Only what is open: neither observed as declared nor confirmed."
)
@phase_option("--hand-over", "done", "What to tell the other team when this phase (id or number) is done.")
@click.option("--out", type=click.Path(path_type=Path), help="A file, for ps1 a folder; otherwise standard output.")
def runbook(
    file: Path, team: str, forest: str, format_: str, only_open: bool, done: Phase | None, out: Path | None
) -> None:
    """Write the runbook of the organization in FILE for servers of kind exchange and lync: by phase and team.

    Each step has the roles that it needs, its commands, which may be run again, and the check after it. ps1 writes a folder
    for each forest and shell: a script with its tables, to be copied to a server. A script refuses any other forest or shell,
    takes -WhatIf, -Step to run some steps only and -Undo to back one out, and leaves a transcript and a result of each step
    for 'tandem confirm --evidence'. Needs no directory.

    \b
    Examples:
      tandem runbook contoso/organization.yaml --for exchange --format ps1 --out scripts
      tandem runbook contoso/organization.yaml --for voice --format html --lang fr --out voix.html
      tandem runbook contoso/organization.yaml --open --out todo.md
      tandem runbook contoso/organization.yaml --format report-html --out change.html
      tandem runbook contoso/organization.yaml --for exchange --hand-over exchucutil
    """
    language = speech().language
    if format_ == SCRIPTS and done is None:
        _write_scripts(file, team, forest, language, only_open, out)
        return
    french = Speech(language="fr").said
    if done is not None:
        written = admin.write_hand_over(file, done, team=team, forest=forest, language=language, french=french)
    else:
        written = admin.write_runbook(
            file, team=team, forest=forest, format=format_, language=language, only_open=only_open,
            french=french,
        )  # fmt: skip
    if not written.steps:
        _say_nothing(written.done)
    if out:
        write_whole(out, written.as_file())
    else:
        click.echo(written.text, nl=False)


def _write_scripts(file: Path, team: str, forest: str, language: Language, only_open: bool, out: Path | None) -> None:
    if out is None:
        raise click.UsageError("--format ps1 writes several files: name a folder with --out")
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"--out {out}: expected a folder, found a file")
    written = admin.write_scripts(file, team=team, forest=forest, language=language, only_open=only_open)
    if not written.steps:
        _say_nothing(written.done)
    for name, data in written.files():
        write_whole(out / name, data)
    for script in written.scripts:
        click.echo(said(f"{out / script.name / script.name}.ps1: {script.steps} step(s)"))
    if only_open and team == "all" and not forest:
        _warn_of_older(out, {script.name for script in written.scripts})


def _warn_of_older(out: Path, names: set[str]) -> None:
    """What an earlier run wrote stays, with what its scripts kept; people have to know that it is not of this runbook."""
    for old in sorted(path.parent for path in out.glob("*/*.ps1") if path.stem == path.parent.name):
        if old.name not in names:
            warning = f"Warning: {old} is of an earlier run, and nothing of it is to be done now: do not run it."
            click.echo(said(warning), err=True)


def _say_nothing(done: int) -> None:
    if done:
        click.echo(said("Nothing is open: every step was observed as declared, or confirmed."), err=True)
        return
    nothing = "There is nothing to do by hand: no server of kind exchange or lync for this team and forest."
    click.echo(said(nothing), err=True)
