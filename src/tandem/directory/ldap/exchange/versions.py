"""Versions and roles of Exchange servers, as their objects keep them.

Sources: Microsoft's build numbers of Exchange Server (8.1 to 8.3 are 2007's service packs, 14.1 to 14.3 those of 2010);
msExchCurrentServerRoles as public scripts read it.
"""

import re

from tandem.directory.ldap.things import Thing
from tandem.org.vocabulary import ServerRole

_YEARS = {"15.0": "2013", "15.1": "2016", "15.2": "2019"}
_WITH_SERVICE_PACKS = {"8": "2007", "14": "2010"}
"""Major versions whose minor number is the service pack."""
_ROLES = {
    2: ServerRole.MAILBOX,
    4: ServerRole.CLIENT_ACCESS,
    16: ServerRole.UM,
    32: ServerRole.HUB_TRANSPORT,
    64: ServerRole.EDGE_TRANSPORT,
}
_ROLES_2016 = {2: ServerRole.MAILBOX, 64: ServerRole.EDGE_TRANSPORT}
_ROLES_2013 = _ROLES_2016 | {0x4000: ServerRole.CLIENT_ACCESS}
"""Bits of msExchCurrentServerRoles until 2010, from 2016 on, and of 2013, where Mailbox has those of UM and transport, too."""


def product_of(serial_number: str) -> str:
    """A version as the repository keeps it, such as ``Exchange 2010 SP3``, from ``Version 14.3 (Build 30123.4)``.

    Empty where it is no version that is known. 2013's service pack is not in its version number.
    """
    found = re.match(r"Version (\d+)\.(\d+)", serial_number)
    if found is None:
        return ""
    major, minor = found[1], found[2]
    if year := _WITH_SERVICE_PACKS.get(major):
        return f"Exchange {year}" + (f" SP{minor}" if minor != "0" else "")
    return f"Exchange {_YEARS[version]}" if (version := f"{major}.{minor}") in _YEARS else ""


def roles_of(thing: Thing) -> tuple[ServerRole, ...]:
    """The roles of a server's object; none where they cannot be read."""
    bits = thing.number("msExchCurrentServerRoles") or 0
    year = product_of(thing.first("serialNumber"))[9:13]
    named = {"2007": _ROLES, "2010": _ROLES, "2013": _ROLES_2013}.get(year, _ROLES_2016)
    return tuple(role for bit, role in named.items() if bits & bit)
