"""Draws docs/menus.md from the tables in tandem.um.applications: a state diagram and a table of rows for each."""

import importlib
import pkgutil
from enum import Enum
from typing import assert_never

from tandem.um import applications
from tandem.um.menu.table import (
    ChangePlayback,
    Digit,
    Fact,
    Goto,
    Happening,
    Leave,
    MenuInput,
    MenuState,
    MenuTable,
    Number,
    Perform,
    PlayMessage,
    RecordCaller,
    Result,
    Returned,
    Row,
    Say,
    Setting,
    SkipPlayback,
    Speak,
    StartTimer,
    Then,
    Timeout,
    Verb,
    Visit,
)

INTRODUCTION = """# Menus

Made from the tables in `tandem/um/applications` by `tools/render_reference`. Each table is one application of the UM server;
the rules that all of them share are at the top of `tandem/um/menu/table.py`. In every state, a caller who hangs up ends the
call, and so does the limit of the call unless the diagram shows a transition for it.
"""


def menus() -> str:
    """Every table, by name."""
    modules = [
        importlib.import_module(f"{applications.__name__}.{each.name}")
        for each in pkgutil.iter_modules(applications.__path__)
    ]
    return "\n".join(
        [INTRODUCTION, *(part for module in modules for part in _menu(module.__doc__ or "", module.TABLE))]
    )


def _menu(about: str, table: MenuTable) -> list[str]:
    owed = ", ".join(f"`{operation.name}`" for operation in table.finally_do)
    lines = ["stateDiagram-v2", f"    [*] --> {table.states[0].name.name}"]
    lines += [f"    {row.state.name} --> {_target(row)}: {_input(row.on)}{_shown(row.verbs)}" for row in table.rows]
    rows = [f"| {state.name.name} | {'; '.join(_entry(state))} |" for state in table.states]
    return [
        f"## {table.name}\n",
        about.replace("``", "`").strip() + "\n",
        *(["Done in the end, however the call ends: " + owed + ".\n"] if owed else []),
        "```mermaid\n" + "\n".join(lines) + "\n```\n",
        "| state | on entry |\n|---|---|\n" + "\n".join(rows) + "\n",
    ]


def _target(row: Row) -> str:
    match row.then:
        case Then.STAY:
            return row.state.name
        case Then.END | Leave() | Goto():
            return "[*]"
        case Enum():
            return row.then.name
        case _:
            assert_never(row.then)


def _input(on: MenuInput) -> str:
    match on:
        case Happening():
            return on.name.lower().replace("_", " ")
        case Digit():
            return on.digits.replace("#", "pound").replace("*", "star")  # Mermaid takes # for an entity
        case Timeout():
            return on.timer
        case Result():
            return f"{on.operation.name} - {on.result}"
        case Returned():
            return f"returned - {on.result}"
        case _:
            assert_never(on)


def _shown(verbs: tuple[Verb, ...]) -> str:
    return f" / {', '.join(_verb(verb) for verb in verbs)}" if verbs else ""


def _entry(state: MenuState) -> list[str]:
    said = [_verb(verb) for verb in state.enter]
    if state.collect:
        said.append(f"collect up to {_number(state.collect.length)} digits into `{state.collect.into}`")
    return [*said, *(["forget digits typed before"] if state.clears_type_ahead else [])]


def _verb(verb: Verb) -> str:
    match verb:
        case Speak():
            return "say " + ", ".join(_sentence(each) for each in verb.sentences)
        case PlayMessage():
            return f"play file {verb.file.name}"
        case ChangePlayback():
            return verb.name.lower().replace("_", " ")
        case SkipPlayback():
            return f"skip {verb.seconds:g} s"
        case RecordCaller():
            return f"record until silent for {_number(verb.idle_s)}"
        case StartTimer():
            return f"start {verb.name} of {_number(verb.after_s)}"
        case Perform():
            return f"do {verb.operation.name}"
        case Visit():
            return f"visit {verb.application}"
        case _:
            assert_never(verb)


def _sentence(said: Say) -> str:
    slots = ", ".join(value.name if isinstance(value, Fact) else str(value) for _, value in said.slots)
    return f"{said.sentence} ({slots})" if slots else said.sentence


def _number(number: Number) -> str:
    return number.name if isinstance(number, Setting) else f"{number:g}"
