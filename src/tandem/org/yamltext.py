"""Why a file is no YAML, in words: the usual mistakes of those who write one by hand, each by its cause.

The parser tells where it could not go on, which is often a line after the mistake.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

_BLANK = "\u00a0"
_CLOSING = {"while parsing a flow sequence": "]", "while parsing a flow mapping": "}"}
_OTHERS = {"]": re.compile(r"[)}]"), "}": re.compile(r"[)\]]")}
_TWO_COLONS = re.compile(r"""[^"'#]*?:\s+[^"'\[{#\s][^"'#]*?:(?:\s|$)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What was found, from 1 the line, and what is expected."""

    line: int
    found: str
    expected: str


def mistake_of(text: str, error: yaml.YAMLError) -> Mistake:
    """The mistake behind an error that the parser raised about a text."""
    problem = str(getattr(error, "problem", None) or str(error).partition("\n")[0])
    context = str(getattr(error, "context", None) or "")
    began, line = _line(error, "context_mark"), _line(error, "problem_mark")
    lines = text.splitlines()
    around = [(at, lines[at - 1]) for at in range(max(began, 1) if began else line, line + 1) if 0 < at <= len(lines)]
    found = _by_context(problem, context, began or line, line, dict(around)) or _by_characters(problem, around)
    return found or Mistake(line=line, found=f"not YAML: {problem}", expected="indentation by spaces, 'key: value'")


def _by_context(problem: str, context: str, began: int, line: int, around: dict[int, str]) -> Mistake | None:
    if "escape character" in problem:
        found = "not YAML: a backslash within double quotes"
        return Mistake(line=line, found=found, expected=r"single quotes around a pattern: '^(\d{4})$'")
    if closing := _CLOSING.get(context):
        opening = "[" if closing == "]" else "{"
        wrong = any(_OTHERS[closing].search(text) for text in around.values())
        other = ", but another kind of bracket is there" if wrong else ""
        found = f"not YAML: the {opening} on this line is not closed{other}"
        return Mistake(line=began, found=found, expected=f"{closing} at its end, and commas between the values")
    if "quoted scalar" in context:
        return Mistake(
            line=began, found="not YAML: the quote on this line is not closed", expected="a quote at its end"
        )
    if "another document" in problem:
        return Mistake(line=line, found="not YAML: a second document (---)", expected="one organization in a file")
    return None


def _by_characters(problem: str, around: list[tuple[int, str]]) -> Mistake | None:
    for at, text in reversed(around):
        before = text[: len(text) - len(text.lstrip())]
        if "\t" in before:
            return Mistake(line=at, found="not YAML: a tab at the begin of the line", expected="blanks there")
        if _BLANK in text:
            found = "not YAML: a non-breaking space, which looks like a blank (copied from a web page or a document?)"
            return Mistake(line=at, found=found, expected="blanks instead")
    if not around:
        return None
    at, text = around[-1]
    if "cannot start any token" in problem and (sign := re.search(r"(?::|-)\s+([@`%|>&*!])", text)):
        return Mistake(line=at, found=f"not YAML: a value that begins with {sign[1]}", expected="quotes around it")
    if "undefined alias" in problem:
        return Mistake(line=at, found="not YAML: a value that begins with *", expected="quotes around it")
    if "mapping values are not allowed" in problem:
        if _TWO_COLONS.match(text):
            found = "not YAML: a colon and a blank within a value"
            return Mistake(line=at, found=found, expected="quotes around the value: name: 'Adams: Alice'")
        found = "not YAML: a key where none can be"
        expected = "the indentation of its neighbours, and a blank behind each colon, also on the line before"
        return Mistake(line=at, found=found, expected=expected)
    if "could not find expected ':'" in problem:
        began, first = around[0]
        return Mistake(line=began, found=f"not YAML: no colon after '{first.strip()[:40]}'", expected="'key: value'")
    if "did not find expected" in problem:
        found = "not YAML: a line whose indentation fits no line before"
        return Mistake(
            line=at, found=found, expected="the indentation of its neighbours, and '- ' before each entry of a list"
        )
    return None


def _line(error: Any, mark: str) -> int:
    found = getattr(error, mark, None)
    return found.line + 1 if found else 0
