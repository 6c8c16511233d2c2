"""``tandem pki``: the certificates of a home folder: how they are, new ones, those made elsewhere, revoked ones.

Servers that run take new files within seconds (or at once, by SIGHUP) and drop no call for it.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
from cryptography import x509
from rich.markup import escape

from tandem.cli.common import JSON, console, print_json
from tandem.core.clock import SystemClock
from tandem.pki import examine
from tandem.pki.authority import Authority
from tandem.pki.errors import PkiError
from tandem.pki.files import write_whole
from tandem.pki.identity import WARN_DAYS
from tandem.pki.store import CertificateStore

HOME = click.option(
    "--home",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The folder with state/ (made by 'tandem init'); default: this folder.",
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_AUTHORITY = "authority"


@click.group()
def pki() -> None:
    """See to the certificates of servers and pools. Servers that run take new ones without dropping a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One certificate, as it is now."""

    name: str
    names: tuple[str, ...]
    issuer: str
    expires_at: datetime | None
    days_left: int
    problem: str
    revocations_until: datetime | None

    @property
    def well(self) -> bool:
        """Whether nobody has to do anything about it."""
        return not self.problem and self.days_left >= WARN_DAYS


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
    at = SystemClock().at()
    found = [_held(store, at) for store in _stores(home)]
    if as_json:
        print_json([_facts(each) for each in found])
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
@click.option("--also", multiple=True, metavar="FQDN", help="A further name that the certificate has to have.")
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
    store = CertificateStore(folder=home / "state" / "pki" / name)
    if roots is None and not store.roots.exists():
        raise PkiError(f"{store.roots} is not there yet: --roots is needed, with the roots to trust")
    trusted = (roots or store.roots).read_bytes()
    leading = certificate.read_bytes() + b"\n" + (chain.read_bytes() if chain else b"")
    lists = crl.read_bytes() if crl else None
    why = examine.problem(
        examine.read_certificates(leading, str(certificate)),
        examine.read_certificates(trusted, str(roots or store.roots)),
        key.read_bytes(),
        (name, *also),
        at=SystemClock().at(),
        revocations=examine.read_revocations(lists, str(crl)) if lists is not None else store.revocations(),
    )
    if why:
        raise PkiError(f"{certificate} is not installed for {name}: {why}")
    store.install(leading, key.read_bytes(), trusted, lists)
    click.echo(f"{name}: installed, {_until(store)}. A server that runs takes it within seconds.")


@pki.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@HOME
@click.option("--due", is_flag=True, help=f"Renew what expires within {WARN_DAYS} days, and nothing else.")
def renew(names: tuple[str, ...], home: Path, due: bool) -> None:
    """Make new certificates for servers and pools, from this organization's own authority, with the names of the old ones.

    Certificates made elsewhere are renewed there, and installed by 'tandem pki install'.

    \b
    Examples:
      tandem pki renew um1.example.com --home example
      tandem pki renew --due --home example    # once a day, by a timer
    """
    if bool(names) == due:
        raise click.UsageError("name the servers whose certificates are to be renewed, or say --due")
    at = SystemClock().at()
    authority = _authority(home, at)
    for store in _stores(home):
        leaf = store.leaf()
        if leaf is None or (store.folder.name not in names if names else not _is_due(leaf, authority, at)):
            continue
        if not authority.issued(leaf):
            raise PkiError(
                f"{store.folder.name}: its certificate is of {leaf.issuer.rfc4514_string()}, not of this organization's own "
                f"authority; have it renewed there, and use 'tandem pki install'"
            )
        held = tuple(sorted(examine.names(leaf) - {store.folder.name}))
        store.install(*authority.issue(store.folder.name, held, at=at), store.roots.read_bytes())
        click.echo(f"{store.folder.name}: renewed, {_until(store)}")
    if missing := set(names) - {store.folder.name for store in _stores(home)}:
        raise PkiError(f"there is no certificate for {', '.join(sorted(missing))} in {home / 'state' / 'pki'}")


@pki.command()
@click.argument("certificate", type=_FILE)
@HOME
def revoke(certificate: Path, home: Path) -> None:
    """Revoke a certificate of this organization's own authority: every server here refuses whoever shows it.

    Renew it first, if its server is to go on. Servers on other machines need the file revoked.pem copied to theirs.

    \b
    Example:
      cp example/state/pki/um2.example.com/certificate.pem stolen.pem
      tandem pki renew um2.example.com --home example
      tandem pki revoke stolen.pem --home example
    """
    at = SystemClock().at()
    authority = _authority(home, at)
    leaf = examine.read_certificates(certificate.read_bytes(), str(certificate))[0]
    if not authority.issued(leaf):
        raise PkiError(f"{certificate} is of {leaf.issuer.rfc4514_string()}, which alone can revoke it")
    listed = home / "state" / "pki" / _AUTHORITY / "revoked.pem"
    known = examine.read_revocations(listed.read_bytes(), str(listed)) if listed.exists() else []
    serials = {entry.serial_number for each in known for entry in each} | {leaf.serial_number}
    revocations = authority.revocation_list(sorted(serials), at=at)
    write_whole(listed, revocations)
    for store in _stores(home):
        others = [each for each in store.revocations() if each.issuer != leaf.issuer]
        kept = b"".join(each.public_bytes(examine.PEM) for each in others)
        write_whole(store.revoked, revocations + kept)
    click.echo(f"{leaf.subject.rfc4514_string()}, serial number {leaf.serial_number:x}: revoked")


def _authority(home: Path, at: datetime) -> Authority:
    folder = home / "state" / "pki" / _AUTHORITY
    if not (folder / "root.key").exists():
        raise PkiError(f"{folder / 'root.key'} is not there: only the machine of the authority can do this")
    return Authority.open_or_create(folder, organization="", at=at)


def _stores(home: Path) -> list[CertificateStore]:
    folders = sorted(path.parent for path in (home / "state" / "pki").glob("*/certificate.pem"))
    return [CertificateStore(folder=folder) for folder in folders]


def _is_due(leaf: x509.Certificate, authority: Authority, at: datetime) -> bool:
    return (leaf.not_valid_after_utc - at).days < WARN_DAYS and authority.issued(leaf)


def _until(store: CertificateStore) -> str:
    return f"good until {store.expires_at():%Y-%m-%d}"


def _held(store: CertificateStore, at: datetime) -> Held:
    try:
        leaf = store.leaf()
        problem = store.problem(store.folder.name, (), at=at)
        until = [each.next_update_utc for each in store.revocations() if each.next_update_utc]
    except PkiError as error:
        leaf, problem, until = None, str(error), []
    return Held(
        name=store.folder.name,
        names=tuple(sorted(examine.names(leaf))) if leaf else (),
        issuer=leaf.issuer.rfc4514_string() if leaf else "",
        expires_at=leaf.not_valid_after_utc if leaf else None,
        days_left=(leaf.not_valid_after_utc - at).days if leaf else 0,
        problem=problem,
        revocations_until=min(until, default=None),
    )


def _facts(held: Held) -> dict[str, object]:
    return {
        "name": held.name,
        "names": list(held.names),
        "issuer": held.issuer,
        "expires_at": held.expires_at.isoformat() if held.expires_at else None,
        "days_left": held.days_left,
        "problem": held.problem,
        "revocations_until": held.revocations_until.isoformat() if held.revocations_until else None,
    }


def _show(found: list[Held]) -> None:
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
            out.print(f"    revocation lists are good until {each.revocations_until:%Y-%m-%d}")
    if not found:
        out.print("There are no certificates here.")
