"""Users in a CSV file, whose header names the keys of a user. Findings name its own lines.

What spreadsheets write is read: commas, semicolons or tabs (with a line ``sep=;`` or without), UTF-8 or Windows-1252, a
header in any case, rows without any value. ``forest`` and ``ou`` may be left out where the organization leaves no choice.
"""

import csv
import dataclasses
import difflib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tandem.org import model
from tandem.org.errors import Severity
from tandem.org.findings import DeclaredAt, Findings, expected_of
from tandem.org.rules import rules_of
from tandem.org.topology import domain_of

MAX_CSV_BYTES = 256 << 20
_SEPARATORS = ",;\t"
_SEP_LINE = re.compile(r'"?sep=([,;\t])"?\r?\n', re.IGNORECASE)
_RULES = rules_of(model.DeclaredUser)
_KEYS = tuple(f.name for f in dataclasses.fields(model.DeclaredUser))
_NEEDED = tuple(f.name for f in dataclasses.fields(model.DeclaredUser) if f.default is dataclasses.MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDefaults:
    """What ``forest`` is where a row has none, and ``ou`` by forest. Empty: there is no choice that is the only one."""

    forest: str = ""
    ou: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def fill(self, values: dict[str, str]) -> None:
        """Add what is missing and can be known; an OU names its forest."""
        if "forest" not in values and "ou" in values:
            values["forest"] = domain_of(values["ou"])
        if "forest" not in values and self.forest:
            values["forest"] = self.forest
        if "ou" not in values and (ou := self.ou.get(values.get("forest", ""))):
            values["ou"] = ou


def only_choices(forests: tuple[str, ...], ous: tuple[str, ...], *, of_contacts: frozenset[str]) -> UserDefaults:
    """The only forest, and the only OU of each forest that is not the contacts'."""
    of_users = {forest: [ou for ou in ous if domain_of(ou) == forest and ou not in of_contacts] for forest in forests}
    return UserDefaults(
        forest=forests[0] if len(forests) == 1 else "",
        ou={forest: found[0] for forest, found in of_users.items() if len(found) == 1},
    )


class UsersFile:
    """One CSV file of users."""

    def __init__(self, folder: Path, name: str, findings: Findings, defaults: UserDefaults) -> None:
        self._path = folder / name
        self._name = name
        self._findings = findings
        self._defaults = defaults

    def read(self, declared: DeclaredAt) -> tuple[model.DeclaredUser, ...]:
        """Its users; ``declared`` is the key that names the file."""
        try:
            data = self._path.read_bytes()
        except OSError as error:
            found = f"{self._name} cannot be read: {error.strerror}"
            self._findings.report(declared, found, "a CSV file in UTF-8 beside this file")
            return ()
        if len(data) > MAX_CSV_BYTES:
            found = f"{self._name} cannot be read: {len(data)} bytes"
            self._findings.report(declared, found, f"at most {MAX_CSV_BYTES}")
            return ()
        text = self._text(data)
        return self._rows(text) if text is not None else ()

    def _text(self, data: bytes) -> str | None:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            at = _line_of(data, error.start)
        saved_as = "a file saved as UTF-8 (in Excel: 'CSV UTF-8')"
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            self._report(1, "", "UTF-16", saved_as)
            return None
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError as error:
            found = "a byte that is neither UTF-8 nor Windows-1252"
            self._report(_line_of(data, error.start), "", found, saved_as)
            return None
        found = f"not UTF-8; read as Windows-1252: {text.splitlines()[at - 1][:80].strip()}"
        self._report(at, "", found, f"{saved_as}, if a name is not shown rightly here", Severity.WARNING)
        return text

    def _rows(self, text: str) -> tuple[model.DeclaredUser, ...]:
        before = 0
        if said := _SEP_LINE.match(text):
            before, text = 1, text[said.end() :]
        first = text.partition("\n")[0]
        separator = said[1] if said else max(_SEPARATORS, key=first.count)
        rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        users = []
        try:
            header = self._header(next(rows, []), 1 + before)
            for row in rows if header else ():
                if any(map(str.strip, row)) and (user := self._user(rows.line_num + before, header, row)):
                    users.append(user)
        except csv.Error as error:
            self._report(rows.line_num + before, "", f"not CSV: {error}", "quoted values closed by a quote")
        return tuple(users)

    def _header(self, row: list[str], line: int) -> list[str]:
        """The columns' keys; nothing, and findings, if they cannot be meant."""
        header = [re.sub(r"[\s-]+", "_", column.strip().lower()) for column in row]
        while header and not header[-1]:
            header.pop()
        wrong, meant = False, set(header)
        if not header:
            self._report(line, "", "no header", f"a first line with the columns' names, of {', '.join(_KEYS)}")
            return []
        for at, column in enumerate(header):
            if column not in _KEYS:
                near = difflib.get_close_matches(column, _KEYS, 1)
                expected = f"'{near[0]}'?" if near else f"columns named {', '.join(_KEYS)}"
                self._report(line, row[at].strip()[:40], "unknown column", expected)
                if not near:
                    return []
                wrong = True
                meant.add(near[0])
            elif column in header[:at]:
                self._report(line, column, "this column appears twice", "each column once")
                wrong = True
        defaults = {"forest": self._defaults.forest or "ou" in header, "ou": self._defaults.ou}
        for column in [each for each in _NEEDED if each not in meant and not defaults.get(each)]:
            self._report(line, column, "this column is missing", expected_of(model.DeclaredUser, column))
            wrong = True
        return [] if wrong else header

    def _user(self, line: int, header: list[str], row: list[str]) -> model.DeclaredUser | None:
        if len(row) < len(header) or any(map(str.strip, row[len(header) :])):
            self._report(line, "", f"{len(row)} values", f"{len(header)}, as many as the header has")
            return None
        values = {column: text for column, text in zip(header, map(str.strip, row), strict=False) if text}
        self._defaults.fill(values)
        wrong = [column for column, text in values.items() if (r := _RULES.get(column)) and not r.holds(text)]
        wrong += [column for column in _NEEDED if column not in values]
        for column in wrong:
            found = _RULES[column].found(values[column]) if column in values else "missing"
            self._report(line, column, found, expected_of(model.DeclaredUser, column))
        if wrong:
            return None
        at = DeclaredAt(file=self._path.name, line=line, key=f"user {values['account']}")
        user: model.DeclaredUser = self._findings.made(model.DeclaredUser, values, at)
        return user

    def _report(self, line: int, key: str, found: str, expected: str, severity: Severity = Severity.ERROR) -> None:
        self._findings.report(DeclaredAt(file=self._path.name, line=line, key=key), found, expected, severity)


def _line_of(data: bytes, offset: int) -> int:
    return data[:offset].count(b"\n") + 1
