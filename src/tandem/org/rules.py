"""What single values have to look like: rules that fields of the model name, with the words for what is expected."""

import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Any

from tandem.org.numbers import is_e164, is_sip_address
from tandem.org.patterns import dotnet_problem
from tandem.org.vocabulary import DEFAULT_LANGUAGE


@dataclass(frozen=True, slots=True)
class Rule:
    """A test and what it expects, for people; ``schema`` is what JSON Schema can say of it.

    ``reason`` says of a text that fails what is wrong with it, where that is not plain to see.
    """

    holds: Callable[[str], bool]
    expected: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    reason: Callable[[str], str] | None = None

    def found(self, text: str) -> str:
        """What was found instead, in words: the text, and what is wrong with it."""
        shown = found_text(text)
        return f"{shown}: {self.reason(text)}" if self.reason else shown


def found_text(text: str) -> str:
    """``found '...'``: the first 60 characters, and no backslash doubled where all can be printed."""
    short = text[:60]
    return f"found '{short}'" if short.isprintable() else f"found {short!r}"


def like(pattern: str, expected: str) -> Rule:
    """Text that matches a pattern as a whole."""
    compiled = re.compile(pattern)
    told = {"pattern": f"^(?:{pattern})$"} if "\\Z" not in pattern else {}
    return Rule(lambda text: compiled.fullmatch(text) is not None, expected, told)


def is_ip_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def between(low: int, high: int) -> Rule:
    """A number from ``low`` to ``high``."""
    return Rule(
        lambda text: low <= int(text) <= high, f"a number from {low} to {high}", {"minimum": low, "maximum": high}
    )


FQDN = like(
    r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]",
    "a fully qualified name in lower case, such as um1.example.com (no wildcard)",
)
UM_NAME = like(
    r"[A-Za-z0-9_-]{1,49}",
    "a name of 1 to 49 letters, digits, - and _ (with a voice pool, no dots and no spaces)",
)
OBJECT_NAME = like(
    r"[^\"/\\\[\]:;|=,+*?<>\x00-\x1f]{1,64}",
    'a name of 1 to 64 characters without " / \\ [ ] : ; | = , + * ? < >',
)
ACCOUNT = like(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "an account name: letters, digits, . _ and -")
OU = like(r"((OU|CN)=[^,=]{1,64},)+DC=[^,=]+(,DC=[^,=]+)*", "a distinguished name, such as OU=People,DC=example,DC=com")
E164 = Rule(is_e164, "a number in E.164 form, such as +14255550100")
SIP_ADDRESS = Rule(is_sip_address, "a SIP address without sip:, such as alice@example.com")
DIGITS = like(r"[0-9]{1,20}", "1 to 20 digits")
PORT = between(1, 65_535)
TEXT = like(r"[^\x00-\x1f\x7f]{1,256}", "1 to 256 characters without control characters")

LANGUAGE = Rule(
    lambda text: text == DEFAULT_LANGUAGE,
    f"{DEFAULT_LANGUAGE}, the language that this release speaks",
    {"enum": [DEFAULT_LANGUAGE]},
)


def dotnet_pattern(example: str) -> Rule:
    """A regular expression of .NET; whether RE2 can run it matters where Tandem's own pools do."""
    return Rule(
        lambda text: not dotnet_problem(text), f"a regular expression, such as {example}", reason=dotnet_problem
    )


def rules_of(type_: Any) -> Mapping[str, Rule]:
    """The rules of a type's fields, as their annotations say."""
    return _rules_of(type_)


@cache
def _rules_of(type_: Any) -> Mapping[str, Rule]:
    hints = typing.get_type_hints(type_, include_extras=True)
    return {
        name: rule
        for name, hint in hints.items()
        for rule in getattr(hint, "__metadata__", ())
        if isinstance(rule, Rule)
    }
