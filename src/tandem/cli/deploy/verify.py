"""``tandem verify``: prove the deployment, by the directory and by calls."""

from pathlib import Path

import click
from rich.markup import escape

from tandem.admin.deploy import verify as admin
from tandem.admin.opening import Operator, open_organization
from tandem.cli.common import FILE, JSON, SUMMARY, console, operator_options, print_json
from tandem.cli.said import LANG, learn_runbook
from tandem.process.verify.matrix import Grade
from tandem.sip.aio.resolve import parse_overrides

_COLOURS = {
    Grade.PASSED: "green",
    Grade.WARNING: "yellow",
    Grade.FAILED: "red",
    Grade.UNREADABLE: "cyan",
    Grade.OBSERVED: "green",
    Grade.CONFIRMED: "yellow",
    Grade.OPEN: "magenta",
}
_ALWAYS = (Grade.PASSED, Grade.WARNING, Grade.FAILED)
"""Grades whose number is said even where it is 0."""


@click.command()
@FILE
@operator_options
@click.option("--live", is_flag=True, help="Also connect to the servers, and call a user's voice mail.")
@click.option("--resolve", multiple=True, metavar="FQDN=IP:PORT", help="Where a name is; TLS still checks the name.")
@click.option(
    "--home",
    "homes",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="For live checks: a server's home on this machine, with a pool's password or with mailboxes; may be repeated.",
)
@click.option("--caller", default="", metavar="ADDRESS", help="The user who calls in live checks; by default chosen.")
@click.option("--called", default="", metavar="ADDRESS", help="The user who gets the message; by default chosen.")
@click.option(
    "--accept-confirmed", is_flag=True, help="Exit code 0 also where steps are confirmed by somebody and not observed."
)
@SUMMARY
@JSON
@LANG
def verify(
    file: Path,
    operator: Operator,
    live: bool,
    resolve: tuple[str, ...],
    homes: tuple[Path, ...],
    caller: str,
    called: str,
    accept_confirmed: bool,
    summary: bool,
    as_json: bool,
) -> None:
    """Check the deployment of FILE against the expected result of every phase; changes nothing.

    With --live every UM server and pool connect to each other by TLS, in both directions, and ask (OPTIONS); each UM
    server is called in each of its dial plans (from verify@POOL); and for each dial plan a user leaves a message for another:
    it must arrive, and the other's phone must show message waiting (MWI). That phone rings meanwhile. The message, and the
    notices of missed calls that come of these calls, are deleted again.

    Steps on Exchange and Lync servers are observed (a collector's result shows them as declared), confirmed (somebody's word,
    and no observation), or open; one that was observed to differ has failed. What waits for other tasks is open too.

    Exit code 0: nothing failed, nothing is open, and every step was observed (there may be warnings); 1: something failed, or
    an error; 4: nothing failed, but steps are open, or only confirmed. --accept-confirmed takes a confirmation as enough.

    \b
    Examples:
      tandem verify example/organization.yaml
      tandem verify contoso/organization.yaml --accept-confirmed
      tandem verify example/organization.yaml --live --resolve um1.example.com=127.0.0.1:15061 \\
          --resolve pool1.example.com=127.0.0.1:15062
    """
    context = open_organization(file, operator)
    learn_runbook(context.organization)
    options = admin.LiveOptions(homes=homes, resolve=parse_overrides(resolve), caller=caller, called=called)
    verified = admin.verify(context, options if live else None)
    show_checks(verified, as_json=as_json, summary=summary)
    raise click.exceptions.Exit(verified.exit_code(accept_confirmed=accept_confirmed))


def show_checks(verified: admin.Verified, *, as_json: bool, summary: bool = False) -> None:
    """Each with its evidence and what to do, and their number by grade; ``summary``: the number, and what failed."""
    if as_json:
        print_json(verified.to_json())
        return
    out = console()
    for check in () if summary else verified.checks:
        colour = _COLOURS[check.grade]
        where = f" \\[{escape(check.forest)}]" if check.forest else ""
        out.print(f"[{colour}]{check.grade:12}[/]  {escape(check.name)}{where}: {escape(check.evidence)}")
        if check.advice:
            out.print(f"              phase {check.phase}: {escape(check.advice)}")
    numbers = ", ".join(
        f"{verified.count(grade)} {grade}" for grade in Grade if grade in _ALWAYS or verified.count(grade)
    )
    failed = "; ".join(check.name for check in verified.checks if check.grade is Grade.FAILED)
    out.print(escape(f"{numbers}: {failed}" if summary and failed else numbers))
