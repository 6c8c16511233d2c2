"""``tandem drift``: where the directory is not as declared. Can only read."""

from itertools import groupby
from pathlib import Path

import click
from rich.markup import escape

from tandem.admin.deploy import drift as admin
from tandem.admin.opening import Operator, open_organization
from tandem.cli.common import FILE, JSON, SUMMARY, console, operator_options, print_json
from tandem.cli.said import LANG, learn_runbook


@click.command()
@FILE
@operator_options
@SUMMARY
@JSON
@LANG
def drift(file: Path, operator: Operator, summary: bool, as_json: bool) -> None:
    """Show where the directory differs from the organization in FILE: changes made outside Tandem.

    The directory is opened for reading only. What ADMIN may not read is no difference: its tasks are named. Of Exchange and
    Lync servers it shows where the newest observation differs ('tandem observe'); steps that nobody has observed are named.

    Exit code 0: no difference in what could be read; 3: there are differences; 4: there is none, but steps on Exchange or Lync
    servers were not observed; 1: error.

    \b
    Example, for a timer:
      tandem drift example/organization.yaml --summary || mail -s drift voice-team@example.com
    """
    context = open_organization(file, operator, read_only=True)
    learn_runbook(context.organization)
    found = admin.drift(context)
    if as_json:
        print_json(found.to_json())
    else:
        out = console()
        for phase, group in groupby(() if summary else found.differences, key=lambda each: each.phase):
            out.print(f"[bold]{phase.number:>2}  {phase.title}[/]")
            for difference in group:
                out.print(f"      {escape(difference.what)}")
        for each in () if summary else found.observations:
            out.print(f"[dim]observed: {escape(each)}[/]")
        for step, known in () if summary else found.unobserved.items():
            out.print(f"not observed: {escape(step)}: {escape(known)}")
        count = len(found.differences)
        hidden = (
            f" {operator.account} cannot read what {', '.join(found.unreadable)} are about." if found.unreadable else ""
        )
        phases = ", ".join(dict.fromkeys(each.phase.id for each in found.differences))
        unobserved = (
            f" {len(found.unobserved)} step(s) not observed: {', '.join(found.unobserved)}." if found.unobserved else ""
        )
        old = "".join(f" Old, collect again: {each}." for each in found.old)
        sound = "No drift in what was observed." if found.unobserved else "No drift: the directory is as declared."
        drifted = f"{count} difference(s), of {phases}." if count else sound
        left = f" {len(found.leavers)} mailbox(es) of leavers ('tandem user leavers')." if found.leavers else ""
        out.print(escape(drifted + unobserved + old + hidden + left))
    raise click.exceptions.Exit(found.exit_code)
