"""What is wrong with an organization file: findings, each with its place, and the error that carries them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tandem.core.errors import TandemError


class Severity(StrEnum):
    """An error stops everything; a warning and an information do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing that was found, where, and what to do. ``line`` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    severity: Severity
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        expected = f"; expected {self.expected}" if self.expected else ""
        return f"{place}: {self.severity}: {key}{self.found}{expected}"


class ConfigError(TandemError):
    """An organization file with errors; the message lists all of them."""

    def __init__(self, path: Path, findings: tuple[Finding, ...]) -> None:
        errors = [str(f) for f in findings if f.severity is Severity.ERROR]
        super().__init__(f"{path} has {len(errors)} error(s):\n" + "\n".join(errors))
        self.findings = findings
