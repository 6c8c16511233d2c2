"""Names to addresses: overrides first (``--resolve FQDN=IP:PORT``), then the system's resolver.

An override says where a name is for every port; TLS still checks the name. NAPTR and SRV records are left out for now.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Mapping

from tandem.core.errors import TandemError


class BadOverride(TandemError):
    """A ``--resolve`` that is not FQDN=IP:PORT."""


def parse_overrides(values: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Read ``FQDN=IP:PORT`` values. Raises :class:`BadOverride`."""
    out = {}
    for value in values:
        name, _, where = value.partition("=")
        host, _, port = where.rpartition(":")
        try:
            address = str(ipaddress.ip_address(host.strip("[]")))
            if not name or not 0 < int(port) < 65_536:
                raise ValueError
        except ValueError:
            raise BadOverride(
                f"--resolve {value!r}: expected FQDN=IP:PORT, such as um1.example.com=127.0.0.1:5061"
            ) from None
        out[name.lower()] = (address, int(port))
    return out


class Resolver:
    """Resolves a host and port to an IP address and port."""

    def __init__(self, overrides: Mapping[str, tuple[str, int]] | None = None) -> None:
        self._overrides = {name.lower(): where for name, where in (overrides or {}).items()}

    async def resolve(self, host: str, port: int) -> tuple[str, int]:
        """Raises :class:`OSError` if the name is not known."""
        if host.lower() in self._overrides:
            return self._overrides[host.lower()]
        try:
            return str(ipaddress.ip_address(host.strip("[]"))), port
        except ValueError:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            address = found[0][4]
            return str(address[0]), int(address[1])
