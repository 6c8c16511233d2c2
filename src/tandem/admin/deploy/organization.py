"""The organization file itself: an example to begin with, every mistake at once, its JSON Schema."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.core.ids import SystemIds
from tandem.org.errors import Finding, Severity
from tandem.org.load import load_organization
from tandem.org.model import Organization
from tandem.org.schema import json_schema
from tandem.process.bootstrap import write_example


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """The findings of a file; it is ``usable`` if none of them is an error. ``users`` is how many could be read."""

    findings: tuple[Finding, ...]
    usable: bool
    users: int

    def to_json(self) -> list[dict[str, Any]]:
        """What ``tandem validate --json`` prints."""
        return [dataclasses.asdict(finding) for finding in self.findings]

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity is severity for finding in self.findings)


def validate(file: Path) -> Validated:
    """Check an organization file."""
    loaded = load_organization(file)
    return Validated(findings=tuple(loaded.findings), usable=loaded.organization is not None, users=loaded.users)


def initialize(folder: Path) -> Organization:
    """Write the example organization, its secrets, its directory. Raises :class:`ProcessError` if the folder is not empty."""
    return write_example(folder, SystemIds())


def organization_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of an organization file."""
    return json_schema()
