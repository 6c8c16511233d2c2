"""The table of cmdlets (cmdlets.yaml), and what of a script is not in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from process.powershell import Command, commands, functions


@dataclass(frozen=True, slots=True)
class Cmdlet:
    """A row: for each shell that has the cmdlet, its parameters in lower case. ``changes``: it takes -WhatIf."""

    parameters: Mapping[str, frozenset[str]]
    changes: bool


def load_table() -> dict[str, Cmdlet]:
    """The rows by name in lower case. Raises :class:`AssertionError` where a row names no source or no shell."""
    data = yaml.safe_load(Path(__file__).with_name("cmdlets.yaml").read_text(encoding="utf-8"))
    return {name.lower(): _row(row, data) for name, row in data["cmdlets"].items()}


def _row(row: Mapping[str, Any], data: Mapping[str, Any]) -> Cmdlet:
    assert row["source"] in data["sources"] and row["in"], row
    shells = [shell for name in row["in"] for shell in data["sets"].get(name, [name])]
    takes = {f"-{word.lower()}" for word in f"{row['takes']} {data['common']}".split()}
    lacking = {shell: {f"-{word.lower()}" for word in words.split()} for shell, words in row.get("not", {}).items()}
    assert set(lacking) <= set(shells), row
    return Cmdlet(
        parameters={shell: frozenset(takes - lacking.get(shell, set())) for shell in shells},
        changes="-whatif" in takes,
    )


def unknown(script: str, shell: str, table: Mapping[str, Cmdlet], programs: frozenset[str]) -> Iterator[str]:
    """What a shell does not have of what a script calls, each with its line. What Get-Command has found may be called."""
    own = functions(script)
    for command in commands(script):
        name = base_name(command)
        if name in own or name in programs:
            continue
        row = table.get(name)
        if row is None or (shell not in row.parameters and name not in command.found):
            yield f"{command.line}: {shell} has no {command.name}"
            continue
        has = row.parameters.get(shell, frozenset().union(*row.parameters.values()))
        for parameter in command.parameters:
            if parameter not in has:
                yield f"{command.line}: {command.name} of {shell} has no {parameter}"


def base_name(command: Command) -> str:
    """The name of a command without its folder, in lower case."""
    return command.name.lower().rpartition("\\")[2].strip("'\"")
