"""Names of attributes that Microsoft has not published, as the forest's own schema has them.

A class of Exchange's says which attributes its entries may hold. Of these the one counts whose name holds the words of what is
looked for and whose syntax fits; if there is none, or more than one, the value is not readable. Numbers that stand for words
(URI type, VoIP security, startup mode, status) tell nothing by themselves: they are never translated.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tandem.directory.layout import Layout
from tandem.directory.ldap.exchange.source import ForeignForest
from tandem.directory.ldap.things import Thing

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|[0-9]+")
_HOLDS = ("mayContain", "systemMayContain", "mustContain", "systemMustContain")
_ABOVE = ("subClassOf", "auxiliaryClass", "systemAuxiliaryClass")


class Syntax(StrEnum):
    """What kind of values an attribute has (MS-ADTS 3.1.1.2.2.2, attributeSyntax)."""

    TEXT = "text"
    NUMBER = "number"
    TRUTH = "truth"
    LINK = "link"


_SYNTAXES = {
    **dict.fromkeys(("2.5.5.3", "2.5.5.4", "2.5.5.5", "2.5.5.12"), Syntax.TEXT),
    **dict.fromkeys(("2.5.5.9", "2.5.5.16"), Syntax.NUMBER),
    "2.5.5.8": Syntax.TRUTH,
    "2.5.5.1": Syntax.LINK,
}


@dataclass(frozen=True, slots=True)
class Read:
    """A value with the attribute that it stands in; ``why`` says why there is none."""

    values: tuple[str, ...] = ()
    name: str = ""
    why: str = ""

    @property
    def attribute(self) -> str:
        """The attribute in lower case, as :class:`Thing` has it."""
        return self.name.lower()

    @property
    def text(self) -> str:
        """The first value, or an empty string."""
        return next(iter(self.values), "")


class SchemaNames:
    """The attributes of the classes of one forest."""

    def __init__(self, forest: ForeignForest) -> None:
        self._base = Layout(forest=forest.name, organization="-").configuration.child("CN", "Schema")
        self._forest = forest
        self._classes: dict[str, Thing | None] = {}
        self._syntaxes: Mapping[str, Syntax] | None = None

    def read(self, thing: Thing, class_: str, syntax: Syntax, *words: str) -> Read:
        """The value of an entry whose attribute has these words, one after the other, in its name."""
        names = self._named(class_, syntax, words)
        said = "".join(word.capitalize() for word in words)
        if not names:
            return Read(why=f"the schema of the forest has no such attribute of {class_} by name ({said})")
        if len(names) > 1:
            return Read(why=f"which of {', '.join(sorted(names))} it is cannot be told")
        if not (values := thing.all(names[0])):
            return Read(name=names[0], why=f"{names[0]} has no value")
        return Read(values=values, name=names[0])

    def _named(self, class_: str, syntax: Syntax, words: tuple[str, ...]) -> list[str]:
        held = dict.fromkeys(name for name in self._attributes(class_, set()) if _has_words(name, words))
        return [name for name in held if self._syntax(name) is syntax]

    def _attributes(self, class_: str, seen: set[str]) -> list[str]:
        """Of a class, and of those that it is made from, but of ``top``."""
        thing = self._class(class_)
        if thing is None or class_.lower() in seen | {"top"}:
            return []
        seen.add(class_.lower())
        own = [name for key in _HOLDS for name in thing.all(key)]
        return own + [n for key in _ABOVE for above in thing.all(key) for n in self._attributes(above, seen)]

    def _class(self, name: str) -> Thing | None:
        if name not in self._classes:
            held = self._forest.find(self._base, f"(&(objectClass=classSchema)(lDAPDisplayName={name}))")
            self._classes[name] = next(iter(held), None)
        return self._classes[name]

    def _syntax(self, name: str) -> Syntax | None:
        if self._syntaxes is None:
            held = self._forest.find(self._base, "(&(objectClass=attributeSchema)(lDAPDisplayName=msExch*))")
            pairs = ((each.first("lDAPDisplayName").lower(), each.first("attributeSyntax")) for each in held)
            self._syntaxes = {key: _SYNTAXES[text] for key, text in pairs if text in _SYNTAXES}
        return self._syntaxes.get(name.lower())


def _has_words(name: str, words: tuple[str, ...]) -> bool:
    held, wanted = ([word.lower().removesuffix("s") for word in each] for each in (_WORDS.findall(name), words))
    return any(held[at : at + len(wanted)] == wanted for at in range(len(held)))
