"""What is found while an organization is read, and where each of its objects is declared."""

from dataclasses import dataclass
from typing import Any

from tandem.org.errors import Finding, Severity
from tandem.org.rules import rules_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAt:
    """Where a value was declared."""

    file: str
    line: int
    key: str


class Findings:
    """Collects the findings of one organization, and the places of its objects by their ids."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.places: dict[int, DeclaredAt] = {}
        self._keep: list[object] = []  # so that the ids in `places` stay theirs

    def report(self, at: DeclaredAt, found: str, expected: str, severity: Severity = Severity.ERROR) -> None:
        """Keep one finding."""
        self.found.append(
            Finding(file=at.file, line=at.line, severity=severity, key=at.key, found=found, expected=expected)
        )

    def made(self, type_: type, values: dict[str, Any], at: DeclaredAt) -> Any:
        """Make an object, and keep where it is declared."""
        value = type_(**values)
        self._keep.append(value)
        self.places[id(value)] = at
        return value


def expected_of(type_: type, field: str) -> str:
    """What a field holds, in words."""
    rule = rules_of(type_).get(field)
    return rule.expected if rule else "a value"
