"""Users in a CSV file, whose header names the keys of a user. Findings name its own lines."""

import csv
import dataclasses
import difflib
import io
from pathlib import Path

from tandem.org import model
from tandem.org.findings import DeclaredAt, Findings, expected_of
from tandem.org.rules import found_text, rules_of

MAX_CSV_BYTES = 256 << 20


class UsersFile:
    """One CSV file of users."""

    def __init__(self, folder: Path, name: str, findings: Findings) -> None:
        self._path = folder / name
        self._name = name
        self._findings = findings

    def read(self, declared: DeclaredAt) -> tuple[model.DeclaredUser, ...]:
        """Its users; ``declared`` is the key that names the file."""
        try:
            data = self._path.read_bytes()
            if len(data) > MAX_CSV_BYTES:
                raise ValueError(f"{len(data)} bytes; at most {MAX_CSV_BYTES} are read")
            text = data.decode("utf-8-sig")
        except (OSError, ValueError) as error:
            why = str(getattr(error, "strerror", "") or error)
            if isinstance(error, UnicodeDecodeError):
                why = "a byte that is not UTF-8"
            self._findings.report(
                declared, f"{self._name} cannot be read: {why}", "a CSV file in UTF-8 beside this file"
            )
            return ()
        return self._rows(self._path.name, text)

    def _rows(self, name: str, text: str) -> tuple[model.DeclaredUser, ...]:
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        known = {f.name: f for f in dataclasses.fields(model.DeclaredUser)}
        users = []
        try:
            header = next(rows, [])
            if bad := [column for column in header if column not in known]:
                near = difflib.get_close_matches(bad[0], sorted(known), 1)
                expected = f"'{near[0]}'?" if near else f"columns named {', '.join(known)}"
                if ";" in bad[0]:
                    expected = "columns separated by commas, not semicolons"
                self._findings.report(DeclaredAt(file=name, line=1, key=bad[0][:40]), "unknown column", expected)
                return ()
            for row in rows:
                if row and (user := self._user(name, rows.line_num, header, row)):
                    users.append(user)
        except csv.Error as error:
            self._findings.report(
                DeclaredAt(file=name, line=rows.line_num, key=""),
                f"not CSV: {error}",
                "quoted values closed by a quote",
            )
        return tuple(users)

    def _user(self, name: str, line: int, header: list[str], row: list[str]) -> model.DeclaredUser | None:
        if len(row) != len(header):
            at = DeclaredAt(file=name, line=line, key="")
            self._findings.report(at, f"{len(row)} values", f"{len(header)}, as many as the header has")
            return None
        values = {column: text for column, text in zip(header, map(str.strip, row), strict=True) if text}
        wrong = [column for column, text in values.items() if (r := _USER_RULES.get(column)) and not r.holds(text)]
        wrong += [column for column in _USER_NEEDS if column not in values]
        for column in wrong:
            found = found_text(values[column]) if column in values else "missing"
            self._findings.report(
                DeclaredAt(file=name, line=line, key=column), found, expected_of(model.DeclaredUser, column)
            )
        if wrong:
            return None
        user: model.DeclaredUser = self._findings.made(
            model.DeclaredUser, values, DeclaredAt(file=name, line=line, key=f"user {values['account']}")
        )
        return user


_USER_RULES = rules_of(model.DeclaredUser)
_USER_NEEDS = [f.name for f in dataclasses.fields(model.DeclaredUser) if f.default is dataclasses.MISSING]
