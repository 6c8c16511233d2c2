"""``tandem pki``: the certificates of a home folder: their state, new ones, those made elsewhere, those of peers, revoked ones.

Running servers take new files within seconds (or at once, by SIGHUP) and drop no call for it.
"""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape

from tandem.admin.keeping import pki as admin
from tandem.cli.common import JSON, console, print_json
from tandem.pki.examine import WARN_DAYS

HOME = click.option(
    "--home",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The folder with state/ (made by 'tandem init'); default: this folder.",
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def pki() -> None:
    """Manage the certificates of servers and pools. Running servers take new ones without dropping a call."""


@pki.command()
@HOME
@JSON
def status(home: Path, as_json: bool) -> None:
    """Show every certificate: its names, when it expires, what is wrong with it.

    Exit code 0: all are good for 30 days and more; 3: one is not, or something is wrong with it; 1: error.

    \b
    Examples:
      tandem pki status --home example
      tandem pki status --home example --json | jq '.[] | select(.days_left < 60)'
      tandem pki status --home example > /dev/null || mail -s certificates voice-team@example.com < /dev/null
    """
    found = admin.certificates(home)
    if as_json:
        print_json([each.to_json() for each in found])
    else:
        _show(found)
    raise click.exceptions.Exit(0 if all(each.well for each in found) else 3)


@pki.command()
@click.argument("name")
@HOME
@click.option(
    "--certificate", type=_FILE, required=True, help="The certificate in PEM; its chain may follow in the file."
)
@click.option("--key", type=_FILE, required=True, help="Its private key in PEM, without a passphrase.")
@click.option("--chain", type=_FILE, help="The authorities between it and a root, in PEM.")
@click.option("--roots", type=_FILE, help="The roots to trust from now on, in PEM; default: those trusted now.")
@click.option("--crl", type=_FILE, help="Revocation lists in PEM, one of each authority whose certificates peers show.")
@click.option("--also", multiple=True, metavar="FQDN", help="A further name that the certificate needs.")
def install(
    name: str,
    home: Path,
    certificate: Path,
    key: Path,
    chain: Path | None,
    roots: Path | None,
    crl: Path | None,
    also: tuple[str, ...],
) -> None:
    """Install a certificate that was made elsewhere, for the server or pool NAME.

    Its names, dates, purpose, key and chain are checked first; nothing is written if one of them is not right.

    \b
    Examples:
      tandem pki install um1.example.com --home example \\
          --certificate um1.pem --key um1.key --chain intermediate.pem --roots corporate-roots.pem
      tandem pki install pool1.example.com --home example --certificate pool1.pem --key pool1.key --also fe1.example.com
    """
    made = admin.install_certificate(
        home, name, certificate=certificate, key=key, chain=chain, roots=roots, crl=crl, also=also
    )
    click.echo(f"{name}: installed, {_until(made)}. A running server takes it within seconds.")


@pki.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@HOME
@click.option(
    "--due",
    is_flag=True,
    help=f"Renew what expires within {WARN_DAYS} days, the revocation list too, and nothing else.",
)
def renew(names: tuple[str, ...], home: Path, due: bool) -> None:
    """Make new certificates for servers and pools, from this organization's own authority, with the names of the old ones.

    Certificates made elsewhere are renewed there, and installed by 'tandem pki install'.

    \b
    Examples:
      tandem pki renew pool1.example.com --home example
      tandem pki renew --due --home example    # once a day, by a timer
    """
    if bool(names) == due:
        raise click.UsageError("name the servers whose certificates are to be renewed, or say --due")
    done = 0
    for made in admin.renew_certificates(home, names):
        click.echo(f"{made.name}: renewed, {_until(made)}")
        done += 1
    if done:
        click.echo(
            "Running servers of this home take it within seconds. 'tandem install' brings it to a server with a home "
            "of its own; copy a peer's files to it."
        )
    else:
        click.echo(f"Nothing is due: everything of this authority is good for more than {WARN_DAYS} days.")


@pki.command()
@click.argument("name")
@HOME
@click.option("--also", multiple=True, metavar="NAME", help="A further FQDN or IP address that the peer answers to.")
def issue(name: str, home: Path, also: tuple[str, ...]) -> None:
    """Make a certificate for a peer that Tandem does not deploy: a PBX, a session border controller, a phone.

    NAME is what the organization file calls it: the FQDN of a gateway. 'tandem pki status' shows the certificate,
    'renew' makes a new one, 'revoke' revokes it.

    \b
    Examples:
      tandem pki issue pbx.example.com --home example
      tandem pki issue sbc.example.com --home example --also sbc1.example.com --also 192.0.2.20
    """
    store = admin.issue_certificate(home, name, also=also)
    click.echo(f"{name}: made. Bring these to it, by a way that nobody else can read:")
    for path, what in ((store.certificate, "certificate"), (store.key, "key"), (store.roots, "the root to trust")):
        click.echo(f"    {path}  {what}")


@pki.command()
@click.argument("certificate", type=_FILE)
@HOME
def revoke(certificate: Path, home: Path) -> None:
    """Revoke a certificate of this organization's own authority: every server here refuses peers that show it.

    Renew it first, if its server is to go on. 'tandem install' brings the list to servers with homes
    of their own.

    \b
    Example:
      cp example/state/pki/pool1.example.com/certificate.pem stolen.pem
      tandem pki renew pool1.example.com --home example
      tandem pki revoke stolen.pem --home example
    """
    revoked = admin.revoke_certificate(home, certificate)
    click.echo(f"{revoked.subject}, serial number {revoked.serial_number:x}: revoked")


def _until(made: admin.Installed) -> str:
    return f"good until {made.expires_at:%Y-%m-%d}"


def _show(found: Sequence[admin.HeldCertificate]) -> None:
    out = console()
    for each in found:
        state = each.problem or ("good" if each.well else "expires soon")
        out.print(f"[bold]{each.name}[/]  [{'green' if each.well else 'red'}]{escape(state)}[/]")
        if each.expires_at is not None:
            out.print(
                f"    expires {each.expires_at:%Y-%m-%d}, {each.days_left} days left; issued by {escape(each.issuer)}"
            )
            out.print(f"    for {', '.join(each.names)}")
        if each.revocations_until is not None:
            due = ", which is soon: 'tandem pki renew --due'" if each.revocations_due else ""
            out.print(f"    revocation lists are good until {each.revocations_until:%Y-%m-%d}{due}")
    if not found:
        out.print("There are no certificates here.")
