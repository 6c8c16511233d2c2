"""``tandem observe``: take what a collector has read on Exchange or Lync servers into account."""

from pathlib import Path

import click

from tandem.admin.deploy import observe as admin
from tandem.admin.opening import Operator, open_organization
from tandem.cli.common import FILE, JSON, operator_options, print_json
from tandem.cli.said import LANG, said


@click.command()
@FILE
@click.argument(
    "results", nargs=-1, required=True, metavar="RESULT...", type=click.Path(dir_okay=False, path_type=Path)
)
@operator_options
@JSON
@LANG
def observe(file: Path, results: tuple[Path, ...], operator: Operator, as_json: bool) -> None:
    """Keep RESULTs, the JSON files of collectors, and compare the organization in FILE with them from now on.

    A collector is a script that only reads; an administrator runs it on an Exchange or Lync server ('tandem collect' writes
    it). 'tandem plan', 'verify' and 'drift' then say of each step of the runbook whether it was observed, and what differs.

    Each file is checked before anything is kept: format, version, digest, and that FILE declares its side and forest. The
    newest result of each forest and shell counts; older ones are kept and do not count, except for the certificates of their
    own host. A result that is older than 7 days is warned of wherever it counts. The journal names each with its digest.

    Exit code 0: all are kept; 1: one cannot be used, and none is kept.

    \b
    Examples:
      tandem observe contoso/organization.yaml exchange.json lync.json --as maria
      tandem observe contoso/organization.yaml results/exchange.json results/lync.json --as victor --json
    """
    observed = admin.observe(open_organization(file, operator), results)
    if as_json:
        print_json(observed.to_json())
        return
    for each in observed.files:
        seen = each.observation
        _say(f"{each.file}: {seen.side} of {seen.forest}, shell {seen.shell}, digest {seen.sha256[:12]}")
        _say(f"    by {seen.by} on {seen.host}, {seen.ended:%Y-%m-%d %H:%M} UTC ({observed.age(each)})")
        if not each.new:
            _say("    was kept before")
        if each.newer is not None:
            rest = "only its host's certificates count" if each.local else "it does not count"
            _say(f"    {rest}: the result of {each.newer.host}, {each.newer.ended:%Y-%m-%d %H:%M} UTC, is newer")
        elif observed.is_old(each):
            _say("    warning: older than 7 days: run the collector again")
        for section, why in observed.unread(each).items():
            _say(f"    could not be read: {section}: {why}")
    _say(f"{len(observed.files)} result(s) kept for {operator.account}; 'tandem plan' compares with them.")


def _say(text: str) -> None:
    click.echo(said(text))
