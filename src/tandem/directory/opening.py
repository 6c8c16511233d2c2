"""Opens a directory by its place: the file of the embedded one, or the domain controllers of its forests."""

from pathlib import Path

from tandem.core.clock import Clock
from tandem.directory.address import Address, Place
from tandem.directory.errors import DirectoryUnavailable
from tandem.directory.port import Directory
from tandem.directory.sqlite.session import EmbeddedDirectory


def open_directory(
    place: Place, clock: Clock | None = None, *, read_only: bool = False, patience_s: float = 0.0
) -> Directory:
    """The directory, to bind to; ``patience_s`` is how long one over LDAP is waited for.

    Raises :class:`DirectoryUnavailable` where what LDAP needs is not installed.
    """
    if place.file is not None:
        return EmbeddedDirectory(place.file, clock, read_only=read_only)
    try:
        from tandem.directory.ldap.session import LdapDirectory
    except ImportError as error:
        raise _lacking(error) from None
    return LdapDirectory(place.addresses, read_only=read_only, patience_s=patience_s)


def forest_behind(url: str, roots: Path | None) -> str:
    """The forest that a domain controller is of, as it says itself before anyone binds. Raises :class:`DirectoryError`."""
    try:
        from tandem.directory.ldap.connection import root_domain
    except ImportError as error:
        raise _lacking(error) from None
    return root_domain(Address(forest="-", url=url, roots=roots))


def _lacking(error: ImportError) -> DirectoryUnavailable:
    return DirectoryUnavailable(
        f"a directory over LDAP needs the extra: pip install 'tandem-um[ldap]' ({error}); it is compiled, with "
        "apt-get install gcc libldap2-dev libsasl2-dev"
    )
