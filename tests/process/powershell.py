"""What a PowerShell script consists of, read from its syntax tree (tree-sitter), since PowerShell cannot run here."""

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter
import tree_sitter_powershell

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
_CALLED = ("command_name", "path_command_name")


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it is written: its name, its parameters in lower case (``-whatif``), its text, and the line it begins at."""

    name: str
    parameters: tuple[str, ...]
    text: str
    line: int
    splatted: bool


def parse(script: str) -> tree_sitter.Node:
    """The root of the syntax tree."""
    return _PARSER.parse(script.encode()).root_node


def nodes(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """A node and all below it."""
    yield node
    for child in node.children:
        yield from nodes(child)


def faults(script: str) -> list[str]:
    """What does not parse, as line and text."""
    return [
        f"{node.start_point.row + 1}: {_text(node)[:80]}"
        for node in nodes(parse(script))
        if node.is_error or node.is_missing
    ]


def commands(script: str) -> list[Command]:
    """Every command, but those that are called through a variable (``& $each``)."""
    return [found for node in nodes(parse(script)) if node.type == "command" and (found := _command(node))]


def functions(script: str) -> set[str]:
    """The names of the functions that a script defines, in lower case."""
    found = (node for node in nodes(parse(script)) if node.type == "function_name")
    return {_text(node).lower() for node in found}


def variables(script: str) -> set[str]:
    """The names of the variables that a script reads or sets, in lower case, without ``$``."""
    return {_text(node).lstrip("$@").strip("{}").lower() for node in nodes(parse(script)) if node.type == "variable"}


def _command(node: tree_sitter.Node) -> Command | None:
    name = next((each for each in node.children if each.type in _CALLED), None)
    if name is None:
        return None
    elements = next((each for each in node.children if each.type == "command_elements"), None)
    parts = elements.children if elements is not None else []
    parameters = tuple(_text(each).split(":")[0].lower() for each in parts if each.type == "command_parameter")
    splatted = any(each.type == "variable" and _text(each).startswith("@") for part in parts for each in nodes(part))
    return Command(
        name=_text(name), parameters=parameters, text=_text(node), line=node.start_point.row + 1, splatted=splatted
    )


def _text(node: tree_sitter.Node) -> str:
    return node.text.decode() if node.text is not None else ""
