"""The home of one server: what it needs, and nothing of anybody else's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.admin.opening import Operator
from tandem.core.clock import SystemClock
from tandem.org.load import require_organization
from tandem.process.keeping import install as process


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledServer:
    """A server's home, and the account that its files belong to. ``shared_directory``: the embedded directory's file."""

    server: str
    kind: str
    home: Path
    owner: str
    shared_directory: Path | None

    def to_json(self) -> dict[str, Any]:
        """What ``tandem install --json`` prints; no secret is in it."""
        return {
            "server": self.server,
            "kind": self.kind,
            "home": str(self.home),
            "owner": self.owner,
            "shared_directory": str(self.shared_directory) if self.shared_directory else None,
        }


def install_server(
    file: Path, server: str, home: Path, *, password_file: Path | None = None, owner: str | None = None
) -> InstalledServer:
    """Write the home of a server of the organization in ``file``; see :func:`tandem.process.keeping.install.install`."""
    operator = Operator(account=server, password_file=password_file)
    made = process.install(
        require_organization(file),
        server,
        home.resolve(),
        at=SystemClock().at(),
        password=operator.password() if password_file else None,
        owner=owner,
    )
    return InstalledServer(
        server=made.server, kind=made.kind, home=made.home, owner=made.owner, shared_directory=made.shared_directory
    )
