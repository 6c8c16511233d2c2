"""Normalization: what was dialled to what can be routed, by the rules of the caller's voice dial plan. Pure.

Rules are .NET regular expressions and replacements, as New-CsVoiceNormalizationRule takes them (:mod:`tandem.org.patterns`),
and the whole dialled string must match. The first rule that matches wins; what begins with ``+`` is left alone. A dialled
string of more than :data:`MAX_DIALLED` characters matches nothing: cut short, it would be another number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tandem.directory.objects import NormalizationRule
from tandem.org.patterns import PatternError, compile_pattern

MAX_DIALLED = 64
_FORMATTING = str.maketrans("", "", " -.()/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalized:
    """The number, and what was tried: each rule's name and whether it matched."""

    number: str | None
    trace: tuple[tuple[str, bool], ...] = ()


def normalize(dialled: str, rules: Sequence[NormalizationRule]) -> Normalized:
    """Apply the rules in their order."""
    if len(dialled) > MAX_DIALLED:
        return Normalized(number=None)
    digits = dialled.translate(_FORMATTING)
    if digits.startswith("+"):
        return Normalized(number=digits)
    trace = []
    for rule in rules:
        found = _translated(rule, digits)
        trace.append((rule.name, found is not None))
        if found is not None:
            return Normalized(number=found, trace=tuple(trace))
    return Normalized(number=None, trace=tuple(trace))


def _translated(rule: NormalizationRule, digits: str) -> str | None:
    try:
        pattern = compile_pattern(rule.pattern)
    except PatternError:
        return None  # 'tandem validate' refuses such a pattern; one that came by another way matches nothing
    return pattern.replace_whole(digits, rule.translation)
