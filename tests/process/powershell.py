"""What a PowerShell script consists of, read from its syntax tree (tree-sitter), since PowerShell cannot run here."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter
import tree_sitter_powershell

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
_LOOKED_FOR = re.compile(r"Get-Command -Name '?([\w-]+)")
_CALLED = ("command_name", "path_command_name")


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it is written: its name, its parameters in lower case (``-whatif``), its text, and its line.

    ``guard`` is the whole ``if`` statement in whose other branch it lies, where that asks ``$WhatIfPreference``; else empty.
    ``found`` are the commands, in lower case, that an ``if`` around it has looked for with Get-Command.
    """

    name: str
    parameters: tuple[str, ...]
    text: str
    line: int
    splatted: bool
    guard: str
    found: frozenset[str]


@functools.lru_cache(maxsize=64)
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
        f"{node.start_point.row + 1}: {text_of(node)[:80]}"
        for node in nodes(parse(script))
        if node.is_error or node.is_missing
    ]


@functools.lru_cache(maxsize=1024)
def commands(script: str) -> tuple[Command, ...]:
    """Every command, but those that are called through a variable (``& $each``)."""
    return tuple(found for node in nodes(parse(script)) if node.type == "command" and (found := _command(node)))


def functions(script: str) -> set[str]:
    """The names of the functions that a script defines, in lower case."""
    found = (node for node in nodes(parse(script)) if node.type == "function_name")
    return {text_of(node).lower() for node in found}


def variables(script: str) -> set[str]:
    """The names of the variables that a script reads or sets, in lower case, without ``$``."""
    return {text_of(node).lstrip("$@").strip("{}").lower() for node in nodes(parse(script)) if node.type == "variable"}


def _command(node: tree_sitter.Node) -> Command | None:
    name = next((each for each in nodes(node) if each.type in _CALLED and text_of(each)), None)
    first = next((each for each in node.children if each.type != "command_invokation_operator"), None)
    if name is None or first is None or text_of(first).startswith(("{", "$", "(")):
        return None
    elements = next((each for each in node.children if each.type == "command_elements"), None)
    parts = elements.children if elements is not None else []
    parameters = tuple(text_of(each).split(":")[0].lower() for each in parts if each.type == "command_parameter")
    splatted = any(each.type == "variable" and text_of(each).startswith("@") for part in parts for each in nodes(part))
    return Command(
        name=text_of(name),
        parameters=parameters,
        text=text_of(node),
        line=node.start_point.row + 1,
        splatted=splatted,
        guard=_guard(node),
        found=frozenset(name.lower() for each in _conditions(node) for name in _LOOKED_FOR.findall(each)),
    )


def _conditions(node: tree_sitter.Node) -> Iterator[str]:
    """The conditions of the ``if`` statements in whose first branch a node lies."""
    at = node
    while at.parent is not None:
        if at.type == "statement_block" and at.parent.type == "if_statement":
            condition = at.parent.child_by_field_name("condition")
            yield text_of(condition) if condition is not None else ""
        at = at.parent


def _guard(node: tree_sitter.Node) -> str:
    at: tree_sitter.Node | None = node
    while at is not None:
        if at.type == "else_clause" and at.parent is not None:
            condition = at.parent.child_by_field_name("condition")
            if condition is not None and text_of(condition).strip() == "$WhatIfPreference":
                return text_of(at.parent)
        at = at.parent
    return ""


def text_of(node: tree_sitter.Node) -> str:
    """What is written in a node."""
    return node.text.decode() if node.text is not None else ""
