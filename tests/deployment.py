"""A deployed organization for tests: made once, copied for each test."""

import shutil
from pathlib import Path

from tandem.core.clock import SystemClock
from tandem.core.ids import SystemIds
from tandem.org.load import require_organization
from tandem.org.model import Organization
from tandem.process.apply import apply
from tandem.process.bootstrap import open_context, write_example
from tandem.process.passwords import kept_password
from tandem.process.task import Context

PLAIN = """  - name: LobbyUDP
    um_dial_plan: Lobby
    address: 127.0.0.20
    transport: udp
    port: 5060
    pilot_identifier: "5000"
  - name: LobbyTCP
    um_dial_plan: Lobby
    address: 127.0.0.21
    transport: tcp
    port: 5060
    pilot_identifier: "5000"
"""


def change(folder: Path, *replacements: tuple[str, str]) -> None:
    """Replace text in the organization file; what is to be replaced has to be there."""
    path = folder / "organization.yaml"
    text = path.read_text()
    for before, after in replacements:
        assert before in text, before
        text = text.replace(before, after)
    path.write_text(text)


def context(folder: Path, account: str = "administrator") -> Context:
    """The organization as an administrator may work on it."""
    organization = require_organization(folder / "organization.yaml")
    password = kept_password(organization, account)
    return open_context(organization, clock=SystemClock(), ids=SystemIds(), account=account, password=password)


def make_example(folder: Path) -> Organization:
    """The example with two plain gateways on loopback, a short ring time, and MD5 (which baresip 1.0 needs)."""
    write_example(folder, SystemIds())
    text = (folder / "organization.yaml").read_text()
    gateway = text[text.index("  - name: LobbyPBX") : text.index("# --- Voice side")]
    change(folder, (gateway, PLAIN + "\n"), ("ring_s: 20 ", "ring_s: 2 "), ("digest: [SHA-256, MD5]", "digest: [MD5]"))
    return require_organization(folder / "organization.yaml")


def deploy(folder: Path) -> None:
    """Apply everything, as the initial administrator."""
    worker = context(folder)
    assert apply(worker).plan.todo == ()
    worker.session.close()


def copy(template: Path, folder: Path) -> Path:
    """A deployed organization of one's own."""
    shutil.copytree(template, folder)
    return folder


def deploy_own_share(folder: Path, account: str = "administrator") -> None:
    """Apply what Tandem does itself, where other tasks are done by hand on servers of kind exchange and lync."""
    worker = context(folder, account)
    apply(worker)
    worker.session.close()
