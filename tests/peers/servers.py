"""A UM server as a process of its own, and the plain gateways that it knows: what tests with SIP peers stand on."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import deployment
from tandem.admin.trial.demo import POOL, UM, free_ports, server_process
from tandem.directory import objects as o
from tandem.org.vocabulary import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Um:
    """A running UM server: ``folder`` is its organization's; it listens on 127.0.0.1."""

    folder: Path
    fqdn: str = UM
    tls: int
    tcp: int
    udp: int
    process: "subprocess.Popen[str]" = field(repr=False)

    def port(self, transport: str) -> int:
        """The port of a transport."""
        return {"tls": self.tls, "tcp": self.tcp, "udp": self.udp}[transport]

    def mailbox(self, account: str) -> Path:
        """The Maildir of a user of example.com."""
        return self.folder / "state" / "mail" / f"{account}@example.com"

    def log(self) -> str:
        """What the server has logged."""
        return (self.folder / f"{self.fqdn}.log").read_text()


@contextlib.contextmanager
def um_server(folder: Path, *more: str, fqdn: str = UM) -> Iterator[Um]:
    """Start a UM server of a deployed folder on free ports; it is stopped by its id at the end."""
    tls, tcp, udp = free_ports(3)
    ports = (f"--tls-port={tls}", f"--tcp-port={tcp}", f"--udp-port={udp}")
    with server_process(folder, fqdn, ["serve", "um", fqdn, f"--home={folder}", *ports, *more]) as process:
        yield Um(folder=folder, fqdn=fqdn, tls=tls, tcp=tcp, udp=udp, process=process)


def add_gateway(
    folder: Path,
    name: str,
    *,
    address: str,
    transport: str,
    port: int = 5060,
    dial_plan: str = "Lobby",
    lamp: bool = False,
) -> None:
    """Make a UM IP gateway with the pilot identifier 5000, as the administrator of the running organization would."""
    worker = deployment.context(folder)
    gateway = o.UMIPGateway(name=name, address=address, port=port, transport=Transport(transport), mwi_allowed=lamp)
    worker.repository.add(gateway)
    worker.repository.add(
        o.UMHuntGroup(name=f"{name} group", gateway=name, dial_plan=dial_plan, pilot_identifier="5000")
    )
    worker.session.close()


@contextlib.contextmanager
def both_servers(folder: Path) -> Iterator[tuple[Um, int]]:
    """Start the UM server and the voice server of a deployed folder; gives the one, and the TLS port of the other."""
    (port,) = free_ports(1)
    with um_server(folder, f"--resolve={POOL}=127.0.0.1:{port}") as um:
        names = [f"--resolve={UM}=127.0.0.1:{um.tls}", f"--resolve={POOL}=127.0.0.1:{port}"]
        with server_process(folder, POOL, ["serve", "voice", POOL, f"--home={folder}", f"--tls-port={port}", *names]):
            yield um, port
