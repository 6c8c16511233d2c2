"""Values as PowerShell literals. Every value of the organization reaches a script through here."""

from collections.abc import Iterable

from tandem.process.errors import ProcessError
from tandem.process.runbook.model import saved_file

_QUOTES = "'\u2018\u2019\u201a\u201b"
"""PowerShell takes the typographic single quotes for the plain one."""


def has_control(value: str) -> bool:
    """Whether a text holds a control character: a line break would end a comment, a literal or a row."""
    return any(ord(char) < 32 or ord(char) == 127 for char in value)


def quote(value: str) -> str:
    """A single-quoted literal, within which nothing is expanded. Raises :class:`ProcessError` for control characters."""
    if has_control(value):
        raise ProcessError(f"{value!r} holds a control character and cannot stand in a script")
    return "'" + "".join(char * 2 if char in _QUOTES else char for char in value) + "'"


def array(values: Iterable[str]) -> str:
    """An array of literals."""
    return f"@({', '.join(map(quote, values))})"


def rows_of(file: str) -> str:
    """The rows of a table beside the script: see :class:`tandem.process.runbook.model.Table`."""
    return f"@(Import-Csv -Path (Join-Path $tables {quote(file)}))"


def restored(step: str, name: str) -> str:
    """An array of what a step's :class:`tandem.process.runbook.model.Saved` of this name has kept."""
    return f"@(Import-Clixml -Path (Join-Path $saved {quote(saved_file(step, name))}) | ForEach-Object {{ $_ }})"


def comment(text: str) -> str:
    """A line comment: what would end it is taken out."""
    return "# " + " ".join(text.split())


def flag(value: bool) -> str:
    """``$true`` or ``$false``."""
    return "$true" if value else "$false"


def unless_whatif(what: str, body: str) -> str:
    """A block for a program that has no -WhatIf of its own: only said where -WhatIf is asked for, else after a typed yes.

    $WhatIfPreference and Read-Host are there in every shell, so that the block can also be pasted into one.
    """
    inner = "\n".join(f"    {line}" for line in body.split("\n"))
    return (
        f"if ($WhatIfPreference) {{\n    Write-Host {quote(f'What if: {what}')}\n"
        f"}} elseif (@('yes', 'oui') -notcontains (Read-Host {quote(f'{what}: type yes to go on')})) {{\n"
        f"    throw {quote(f'{what}: not done')}\n}} else {{\n{inner}\n}}"
    )
