"""``tandem demo``: the main job on this machine, shown and proved."""

import asyncio
import contextlib
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tandem.admin.trial.demo import DemoFailed, DemoForest, Demonstrated, SoftphoneAccount, demonstrate
from tandem.cli.common import console
from tandem.cli.show import show_output

_WHAT = """What you are going to see, in about a minute:
  1. An organization is declared in one file; maria (messaging) and victor (voice) deploy it, each with their own rights.
  2. A UM server and a voice server start, with certificates of the organization's own authority.
  3. Bob's phone calls Alice, who does not answer; Bob speaks to voice mail; her phone shows message waiting.
  4. A table says what was proved, and by what it was measured.

    Bob's phone --TLS, SRTP--> pool1.example.com --TLS, SRTP--> um1.example.com --> Alice's mailbox
    Alice's phone <--rings, MWI--'

Not there yet: calls to the public telephone network, menus by phone, auto attendants."""


@click.command()
@click.option("--stay", is_flag=True, help="Leave everything running, and print an account for a softphone.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where; a new folder, by default a temporary one.")
@click.option(
    "--directory", metavar="URL", help="An empty Active Directory forest example.com (ldaps://HOST) to deploy to."
)
@click.option(
    "--roots", type=click.Path(exists=True, path_type=Path), help="Authorities of its domain controllers, in PEM."
)
@click.option("--password-file", type=click.Path(exists=True, path_type=Path), help="Its administrator's password.")
def demo(
    stay: bool, folder: Path | None, directory: str | None, roots: Path | None, password_file: Path | None
) -> None:
    """Deploy an example organization and prove it with a real call.

    Takes about a minute, needs no root and no network but loopback. Exit code 0: every proof holds. With --directory the
    same is done in Active Directory; "make demo DIRECTORY=samba" starts one for it.

    \b
    Examples:
      tandem demo
      tandem demo --stay
    """
    if directory is not None and password_file is None:
        raise click.UsageError("--directory needs --password-file, with the password of its administrator")
    out = console()
    out.print(_WHAT)
    forest = (
        DemoForest(url=directory, password_file=password_file, roots=roots) if directory and password_file else None
    )
    place = folder or Path(tempfile.mkdtemp(prefix="tandem-demo-")) / "x"

    ended: list[Demonstrated] = []

    async def after_call(demonstrated: Demonstrated, account: SoftphoneAccount) -> None:
        ended.append(demonstrated)
        show_proofs(demonstrated, out)
        if stay:
            user, _, domain = account.address.partition("@")
            out.print(
                f"\nAn account for your softphone, until Ctrl-C (docs/connect-a-phone.md):\n"
                f"  domain          {domain}\n  user name       {user}\n  password        {account.password}\n"
                f"  outbound proxy  {account.server}:{account.port};transport=tls, which is 127.0.0.1\n"
                f"  media           SRTP (SDES), required\n  root            {account.root}"
            )
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        demonstrate(place, _View(out), forest=forest, after_call=after_call)
    if not all(proof.holds for demonstrated in ended for proof in demonstrated.proofs):
        raise DemoFailed("not every proof holds; see the table")


class _View:
    """Shows the commands and what they print."""

    def __init__(self, out: Console) -> None:
        self._out = out

    def command(self, shown: str) -> None:
        self._out.print(f"\n[bold cyan]$ tandem {shown}[/]")

    def ended(self, output: str, code: int) -> None:
        show_output(output, self._out)
        self._out.print(f"[dim](exit {code})[/]")

    def note(self, text: str) -> None:
        self._out.print(f"\n{text}")


def show_proofs(demonstrated: Demonstrated, out: Console) -> None:
    """The table that the demonstration ends with."""
    table = Table(title="What was proved", show_lines=True)
    for heading in ("", "claim", "evidence"):
        table.add_column(heading, overflow="fold")
    for proof in demonstrated.proofs:
        table.add_row("[green]yes[/]" if proof.holds else "[red]NO[/]", proof.claim, proof.evidence)
    out.print()
    out.print(table, soft_wrap=False)
    out.print(f"To hear the message: {demonstrated.recording}")
    out.print(f"Everything is in {demonstrated.folder} ({demonstrated.seconds:.0f} s).")
