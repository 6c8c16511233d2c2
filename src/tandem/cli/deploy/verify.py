"""``tandem verify``: prove the deployment, by the directory and by calls."""

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape

from tandem.cli.common import AS, FILE, JSON, PASSWORD_FILE, console, open_as, print_json
from tandem.directory import objects as o
from tandem.process.task import Context
from tandem.process.verify.declared import verify_static
from tandem.process.verify.live import Live
from tandem.process.verify.matrix import Check, Grade
from tandem.service.threads import ThreadPool
from tandem.sip.aio.resolve import Resolver, parse_overrides
from tandem.wiring import Home, bind, mail_store

_COLOURS = {Grade.PASSED: "green", Grade.WARNING: "yellow", Grade.FAILED: "red"}


@click.command()
@FILE
@AS
@PASSWORD_FILE
@click.option("--live", is_flag=True, help="Also connect to the servers, and call a user's voice mail.")
@click.option("--resolve", multiple=True, metavar="FQDN=IP:PORT", help="Where a name is; TLS still checks the name.")
@click.option("--caller", default="", metavar="ADDRESS", help="The user who calls in live checks; by default chosen.")
@click.option("--called", default="", metavar="ADDRESS", help="The user who gets the message; by default chosen.")
@JSON
def verify(
    file: Path,
    account: str,
    password_file: Path | None,
    live: bool,
    resolve: tuple[str, ...],
    caller: str,
    called: str,
    as_json: bool,
) -> None:
    """Check the deployment of FILE against what each phase has to have brought about; changes nothing.

    With --live every UM server and pool connect to each other by TLS, in both directions, and ask (OPTIONS); each UM
    server is called in each of its dial plans; and for each dial plan a user leaves a message for another: it must arrive,
    and the other's phone must show message waiting (MWI). That phone rings meanwhile; the message is deleted again.

    Exit code 0: nothing failed (there may be warnings); 1: something did.

    \b
    Examples:
      tandem verify example/organization.yaml
      tandem verify example/organization.yaml --live --resolve um1.example.com=127.0.0.1:15061 \\
          --resolve pool1.example.com=127.0.0.1:15062
    """
    context = open_as(file, account, password_file)
    checks = list(verify_static(context))
    if live:
        checks += asyncio.run(_live(context, Resolver(parse_overrides(resolve)), caller, called))
    show_checks(checks, as_json=as_json)
    raise click.exceptions.Exit(1 if any(c.grade is Grade.FAILED for c in checks) else 0)


def show_checks(checks: Sequence[Check], *, as_json: bool) -> None:
    """Each with its evidence and what to do, and their number by grade."""
    if as_json:
        print_json([dataclasses.asdict(check) for check in checks])
        return
    out = console()
    for check in checks:
        colour = _COLOURS[check.grade]
        out.print(f"[{colour}]{check.grade:7}[/]  {escape(check.name)}: {escape(check.evidence)}")
        if check.advice:
            out.print(f"         phase {check.phase}: {escape(check.advice)}")
    counts = {grade: sum(c.grade is grade for c in checks) for grade in Grade}
    out.print(", ".join(f"{count} {grade}" for grade, count in counts.items()))


async def _live(context: Context, resolver: Resolver, caller: str, called: str) -> list[Check]:
    disk = ThreadPool("verify-disk", 2)
    try:
        live = Live(
            context=context,
            resolver=resolver,
            secret_of=_Secrets(context),
            mail=mail_store(context.organization.state, disk),
            caller=caller,
            called=called,
        )
        return [each async for each in live.checks()]
    finally:
        disk.close()


class _Secrets:
    """Users' SIP secrets, each read with the account of a server of the user's pool: no administrator may read them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __call__(self, user: o.User) -> str:
        organization = self._context.organization
        pool = next(pool for pool in organization.voice_pools if pool.fqdn == user.home_pool)
        repository = bind(Home(folder=organization.path.parent), pool.servers[0] if pool.servers else pool.fqdn)
        try:
            return repository.sip_secret(user)
        finally:
            repository.session.close()
