r"""Administrators' patterns: .NET regular expressions and replacements, as Lync's cmdlets take them. Pure.

RE2 runs them, in time linear to the text, whatever the pattern is (docs/adr/0029). What it cannot do, or would understand in
another way than .NET, is refused with the reason and what to write instead; nothing here is run by ``re``.

Kept of .NET: groups with a name are numbered after all others, ``(?'name'...)`` is a group with a name, ``\Z`` is the end.
Other than in .NET: ``\d`` and ``\w`` are ASCII, and ``$`` is the very end, not before a last line feed.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import re2

from tandem.core.errors import TandemError

MAX_PATTERN = 256
"""Characters of a pattern."""
_MAX_MEMORY = 1 << 20
_TOKEN = re.compile(r"\\.|\(\?|\[\^?\]?|.", re.DOTALL)
_IN_CLASS = re.compile(r"\\.|\[:|-\[|.", re.DOTALL)
_LOOK = "look-around, which is not supported; write what may be there, such as [0-8] for (?!9)"
_BEYOND: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\(\?<?[=!]"), _LOOK),
    (re.compile(r"\(\?>"), "an atomic group, which is not supported; write (?:...)"),
    (re.compile(r"\(\?\("), "a condition, which is not supported; write two rules"),
    (re.compile(r"\(\?#"), "a comment, which is not supported; leave it out"),
    (re.compile(r"\(\?[a-z-]*[xn]"), "an option other than i, m and s"),
    (re.compile(r"\\[1-9k]"), "a back reference, which is not supported; write out what may be there"),
    (re.compile(r"-\["), "a class without another, which is not supported; list what is left"),
)
_NOT_DOTNET: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\(\?[a-z-]*U"), "an option other than i, m and s"),
    (re.compile(r"\[:"), "a class by name, which .NET does not know; write \\d or [a-z]"),
    (re.compile(r"\\(?:[QC]|[pP](?!\{))"), "an escape that .NET does not know"),
    (re.compile(r"\\x\{"), "an escape that .NET does not know; write \\xHH"),
)
_QUOTED_NAME = re.compile(r"\(\?'(\w+)'", re.ASCII)
_REFERENCE = re.compile(r"\$(?:(\d{1,9})|\{(\w+)\}|(\$))", re.ASCII)
_OF_TRANSLATION = re.compile(r"\$(?:\d{1,9}|\{\w+\}|\$)?|\\.?", re.ASCII | re.DOTALL)


class PatternError(TandemError):
    """A pattern that cannot be used; the message is the reason, with what to write instead where that is known."""


class BeyondRe2(PatternError):
    """A pattern that .NET runs, so Lync does, and RE2 does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A compiled pattern.

    Attributes:
        text: as the administrator wrote it.
        groups: for each reference that a replacement may make (``"1"``, ``"name"``) the number of RE2's group.
    """

    text: str
    groups: dict[str, int] = field(repr=False)
    _compiled: Any = field(repr=False)

    def replace_whole(self, text: str, translation: str) -> str | None:
        """The translation of a text that matches as a whole, or ``None`` if it does not match.

        ``$1`` and ``${name}`` are what a group matched, ``$$`` is a dollar sign; a reference to no group stays as it is.
        """
        match = self._compiled.fullmatch(_encodable(text))
        if match is None:
            return None

        def value(reference: re.Match[str]) -> str:
            if reference[3]:
                return "$"
            group = self.groups.get(_group_name(reference[1] or reference[2]))
            return reference[0] if group is None else match[group] or ""

        return _REFERENCE.sub(value, translation)

    def found_in(self, text: str) -> bool:
        """Whether it matches anywhere in a text, as Lync's number patterns of voice routes do."""
        return self._compiled.search(_encodable(text)) is not None


@lru_cache(maxsize=16_384)
def compile_pattern(text: str) -> Pattern:
    """Compile a pattern; the same text is compiled once. Raises :class:`PatternError`."""
    if len(text) > MAX_PATTERN:
        raise PatternError(f"{len(text)} characters, at most {MAX_PATTERN} are read")
    ours = _for_re2(_encodable(text))
    options = re2.Options()
    options.log_errors = False  # it would write to stderr
    options.max_mem = _MAX_MEMORY
    try:
        compiled = re2.compile(ours, options)
    except re2.error as error:
        raise PatternError(error.args[0].decode(errors="replace").removesuffix(f": {ours}")) from error
    return Pattern(text=text, groups=_numbered_as_dotnet(compiled.groups, compiled.groupindex), _compiled=compiled)


def pattern_problem(text: str) -> str:
    """Why a text is no pattern; empty if it is one."""
    try:
        compile_pattern(text)
    except PatternError as error:
        return str(error)
    return ""


def dotnet_problem(text: str) -> str:
    """Why a text is no pattern of .NET either; empty if it is one, or one that only RE2 cannot run."""
    try:
        compile_pattern(text)
    except BeyondRe2:
        return ""
    except PatternError as error:
        return str(error)
    return ""


def translation_problem(pattern: Pattern, translation: str) -> str:
    """What in a translation cannot be meant, with this pattern; empty if all is well."""
    for found in _OF_TRANSLATION.findall(translation):
        if found == "$$":
            continue
        name = _group_name(found.strip("${}"))
        if found.startswith("\\"):
            written = f"write ${name[1:]}" if name[1:].isdigit() else "no number has one"
            return f"{found} with a backslash; {written}"
        if not name:
            return "$ that names no group; write $1, ${name}, or $$ for a dollar sign"
        if name not in pattern.groups:
            held = ", ".join(f"${each}" if each.isdigit() else f"${{{each}}}" for each in list(pattern.groups)[1:])
            hint = f"; write ${{{name[0]}}}{name[1:]} for group {name[0]}" if name[0] in pattern.groups else ""
            return f"{found}, but the pattern has {f'only {held}' if held else 'no group, which is in ( )'}{hint}"
    return ""


def _for_re2(text: str) -> str:
    """The pattern as RE2 writes it. Raises :class:`PatternError` for what RE2 cannot do or understands in another way."""
    written: list[str] = []
    at, in_class = 0, False
    while at < len(text):
        token = (_IN_CLASS if in_class else _TOKEN).match(text, at)
        assert token is not None
        found = token[0]
        if found[0] == "\\" or (found == "(?" and not in_class) or (found in ("[:", "-[") and in_class):
            _refuse(text, at)
        if not in_class and found == "(?" and (named := _QUOTED_NAME.match(text, at)):
            written.append(f"(?<{named[1]}>")
            at = named.end()
            continue
        written.append("\\z" if found == "\\Z" and not in_class else found)
        in_class = found != "]" if in_class else found[0] == "["
        at = token.end()
    return "".join(written)


def _refuse(text: str, at: int) -> None:
    for kind, table in ((BeyondRe2, _BEYOND), (PatternError, _NOT_DOTNET)):
        for refused, why in table:
            if match := refused.match(text, at):
                raise kind(f"it has {match[0]}, {why}")


def _numbered_as_dotnet(count: int, names: dict[str, int]) -> dict[str, int]:
    """RE2's groups by .NET's numbers and names: groups without a name first, then those with one, 0 is the whole."""
    named = sorted(names.values())
    order = [0, *(each for each in range(1, count + 1) if each not in named), *named]
    return {str(number): group for number, group in enumerate(order)} | names


def _group_name(written: str) -> str:
    """``01`` is group 1."""
    return str(int(written)) if written.isascii() and written.isdigit() else written


def _encodable(text: str) -> str:
    """RE2 reads UTF-8, which holds no half of a pair."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
