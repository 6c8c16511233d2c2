"""Normalization: what was dialled to what can be routed, by the rules of the caller's voice dial plan. Pure.

Rules are .NET regular expressions and replacements, as New-CsVoiceNormalizationRule takes them: ``$1`` and ``${name}``
become Python's, ``\\d`` means ASCII digits, and the whole dialled string has to match. The first rule that matches wins;
what begins with ``+`` is left alone. Patterns come from administrators; the dialled string is limited to 64 characters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tandem.directory.objects import NormalizationRule

MAX_DIALLED = 64
_FORMATTING = str.maketrans("", "", " -.()/")
_REFERENCE = re.compile(r"\$(?:(\d{1,2})|\{(\w+)\}|(\$))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalized:
    """The number, and what was tried: each rule's name and whether it matched."""

    number: str | None
    trace: tuple[tuple[str, bool], ...] = ()


def normalize(dialled: str, rules: Sequence[NormalizationRule]) -> Normalized:
    """Apply the rules in their order."""
    digits = dialled.translate(_FORMATTING)[:MAX_DIALLED]
    if digits.startswith("+"):
        return Normalized(number=digits)
    trace = []
    for rule in rules:
        found = _search(rule, digits)
        trace.append((rule.name, found is not None))
        if found is not None:
            return Normalized(number=found, trace=tuple(trace))
    return Normalized(number=None, trace=tuple(trace))


def _search(rule: NormalizationRule, digits: str) -> str | None:
    try:
        match = re.fullmatch(rule.pattern, digits, re.ASCII)
    except re.error:
        return None  # the process checks patterns; one that came by another way matches nothing
    if match is None:
        return None

    def value(reference: re.Match[str]) -> str:
        if reference[3]:
            return "$"
        try:
            return match[int(reference[1])] or "" if reference[1] else match[reference[2]] or ""
        except IndexError:
            return reference[0]  # as .NET: a reference to no group is literal text

    return _REFERENCE.sub(value, rule.translation)
