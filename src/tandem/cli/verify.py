"""``tandem verify``: prove the deployment, by the directory and by calls."""

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import click
from rich.markup import escape

from tandem.cli.common import AS, FILE, JSON, PASSWORD_FILE, console, open_as, print_json
from tandem.directory import objects as o
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, phone_context
from tandem.probe.live import Outcome, ask_options, call_voice_mail
from tandem.probe.phone import Account
from tandem.process.phases import PHASES
from tandem.process.task import Context
from tandem.process.tasks.preconditions import tandem_pools, tandem_um_servers
from tandem.process.verify import Check, Grade, verify_static
from tandem.sip.aio.resolve import Resolver, parse_overrides
from tandem.wiring import Home, bind

_COLOURS = {Grade.PASSED: "green", Grade.WARNING: "yellow", Grade.FAILED: "red"}


@click.command()
@FILE
@AS
@PASSWORD_FILE
@click.option("--live", is_flag=True, help="Also connect to the servers, and call a user's voice mail.")
@click.option("--resolve", multiple=True, metavar="FQDN=IP:PORT", help="Where a name is; TLS still checks the name.")
@JSON
def verify(
    file: Path, account: str, password_file: Path | None, live: bool, resolve: tuple[str, ...], as_json: bool
) -> None:
    """Check the deployment of FILE against what each phase has to have brought about; changes nothing.

    With --live each server is connected to by TLS and asked (OPTIONS), and one user calls another, whose voice mail has
    to answer; the caller hangs up at the tone, which leaves a missed-call notice there.

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
        checks += asyncio.run(_live(context, Resolver(parse_overrides(resolve))))
    if as_json:
        print_json([dataclasses.asdict(check) for check in checks])
    else:
        out = console()
        for check in checks:
            colour = _COLOURS[check.grade]
            out.print(f"[{colour}]{check.grade:7}[/]  {escape(check.name)}: {escape(check.evidence)}")
            if check.advice:
                out.print(f"         phase {check.phase}: {escape(check.advice)}")
        counts = {grade: sum(c.grade is grade for c in checks) for grade in Grade}
        out.print(", ".join(f"{count} {grade}" for grade, count in counts.items()))
    raise click.exceptions.Exit(1 if any(c.grade is Grade.FAILED for c in checks) else 0)


async def _live(context: Context, resolver: Resolver) -> list[Check]:
    checks = []
    for pool in tandem_pools(context.organization):
        store = CertificateStore(folder=context.pki / pool.fqdn)
        outcome = await ask_options(phone_context(store.roots), pool.fqdn, pool.sip_tls_port, resolver)
        checks.append(_live_check(f"{pool.fqdn} answers", outcome, "is the voice server running, and reachable here?"))
        for server in tandem_um_servers(context.organization):
            outcome = await ask_options(client_context(store), server.fqdn, server.sip_tls_port, resolver)
            name = f"{server.fqdn} answers {pool.fqdn}"
            checks.append(
                _live_check(name, outcome, "is the UM server running, and is the pool its gateway (phase 7)?")
            )
        for caller, called in _pair(context, pool.fqdn, pool.servers[0] if pool.servers else pool.fqdn):
            outcome = await call_voice_mail(caller, called, phone_context(store.roots), resolver)
            checks.append(
                _live_check("A call is answered by voice mail", outcome, "see the servers' logs for this call")
            )
    return checks


def _live_check(name: str, outcome: Outcome, advice: str) -> Check:
    return Check(
        name=name,
        grade=Grade.FAILED if outcome.wrong else Grade.PASSED,
        evidence=outcome.wrong or outcome.evidence,
        phase=PHASES[11].id,
        advice=advice if outcome.wrong else "",
    )


def _pair(context: Context, pool: str, server: str) -> Iterator[tuple[Account, str]]:
    """Two users of a pool, the second with voice mail; the first one's secret is read with the voice server's account."""
    users = [u for u in context.repository.all(o.User) if u.home_pool == pool and u.sip_enabled]
    called = next((u for u in users if u.um_enabled), None)
    caller = next((u for u in users if u != called), None)
    if caller is None or called is None:
        return
    port = next(p.sip_tls_port for p in context.repository.all(o.VoicePool) if p.fqdn == pool)
    repository = bind(Home(folder=context.organization.path.parent), server)
    secret = repository.sip_secret(caller)
    repository.session.close()
    address = caller.sip_address.partition(":")[2]
    yield Account(address=address, secret=secret, pool=pool, port=port), called.sip_address.partition(":")[2]
