"""The translator: an English message to French, by the template that it was made from (docs/adr/0034-french.md).

A template is the message with ``{}`` for each value. Its French has a slot for each, too, in the same order: ``{}`` is the
value as it is, ``{~}`` is translated first, ``{k}`` is the word for a kind of object. Of several templates that fit, the one
with the most letters of its own counts, and before it one whose values hold no comma. Values are never looked at but in slots
that say so.

What no template makes as a whole is put together by commands: ``NAME: EVIDENCE``, lists with commas, "and" and "or", changes
(``+ KIND NAME: DETAILS``), and several of them with ``;`` between. What is not known stays as it is.

The work is linear in the length of the message: each template is looked for once from left to right, and the depth to which
parts are translated, and the places at which a message is divided, are bounded.
"""

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

SLOT = "{}"
_FRENCH_SLOT = re.compile(r"\{([~k]?)\}")
_SENTENCES = re.compile(r"(?<=\.) ")
_SEMICOLON = re.compile("; ")
_CHANGE = re.compile(r"[+~\-!] ")
_NUMBERED = re.compile(r"(\s*\d+(?:\.|/\S+)?\s+)(\S.*)", re.DOTALL)
_INNER = re.compile(r"[:;.] ")
_COLUMNS = re.compile(r"( {2,}| – )")
_BRACKETS = re.compile(r"[()]")
_SEPARATORS = re.compile(r"(, or |, and | or | and the | and |, )")
_DEEPEST = 5
_MOST_PLACES = 8
"""Colons, or commas of a change's details, at which a message is divided, at most."""
_MOST_PIECES = 50
"""Sentences, changes, columns, names of a list that are looked at one by one; of more, the whole stays as it is."""
_VAGUE = 9
"""Letters of its own of a template that begins with a value, below which it is vague."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """An English template as its literal parts, with its French."""

    parts: tuple[str, ...]
    french: str

    @property
    def letters(self) -> int:
        """How much of it is its own: the more, the more exactly it fits."""
        return sum(map(len, self.parts))

    @property
    def is_vague(self) -> bool:
        """Whether it says so little (``{} with {}``) that other sentences may look like it: its values are single words."""
        return not self.parts[0] and self.letters < _VAGUE

    @property
    def marks(self) -> list[str]:
        """What is done with each value: nothing, ``~`` or ``k``."""
        return _FRENCH_SLOT.findall(self.french)

    def values(self, text: str, kinds: Sequence[str]) -> tuple[str, ...] | None:
        """The values of the slots in a message; ``None`` if the template does not make it.

        None is empty but what is joined to a word (``not observed{}``), and the second of two slots without anything between,
        of which the first takes all. A kind of object is one of ``kinds``, of which the first that fits counts.
        """
        first, last = self.parts[0], self.parts[-1]
        at, end = len(first), len(text) - len(last)
        if not (text.startswith(first) and text.endswith(last)) or at > end:
            return None
        values: list[str] = []
        joined = 0
        for part, mark in zip(self.parts[1:-1], self.marks, strict=False):
            if not part:
                joined += 1
                continue
            if mark == "k":
                found = at + next((len(kind) for kind in kinds if text.startswith(kind + part, at)), -1 - at)
            else:
                found = text.find(part, at + 1, end)
            if found < 0:
                return None
            values += [text[at:found], *[""] * joined]
            at, joined = found + len(part), 0
        before = next(filter(None, reversed(self.parts[:-1])), "")
        found_all = (*values, text[at:end], *[""] * joined)
        return found_all if (at < end or before[-1:].isalpha()) and self._may_take(found_all) else None

    def _may_take(self, values: tuple[str, ...]) -> bool:
        """Whether the values are single words where the template is vague; what is a message itself may have more."""
        return not self.is_vague or not any(
            not mark and (" " in value or value.endswith(",")) for value, mark in zip(values, self.marks, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What is known: ``messages`` by English template; ``kinds`` of changed objects; ``details`` of changes, which are
    templates of ``messages``; ``products``, names of several words that stay as they are; and ``texts``, which are no
    templates but known as they stand."""

    messages: Mapping[str, str]
    kinds: Mapping[str, str]
    details: Collection[str]
    products: Collection[str]
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Translator:
    """Translates by a catalogue."""

    catalogue: Wording
    _by_word: dict[str, list[Template]] = field(init=False, default_factory=dict, repr=False)
    _kinds: tuple[str, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        for english, french in self.catalogue.messages.items():
            parts = tuple(english.split(SLOT))
            if len(parts) > 1:
                word, space, _ = parts[0].partition(" ")
                self._by_word.setdefault(word if space else "", []).append(Template(parts=parts, french=french))
        object.__setattr__(self, "_kinds", tuple(sorted(self.catalogue.kinds, key=len, reverse=True)))

    def with_texts(self, texts: Mapping[str, str]) -> "Translator":
        """One that knows these as well."""
        return Translator(dataclasses.replace(self.catalogue, texts={**self.catalogue.texts, **texts}))

    def said(self, text: str) -> str:
        """A message in French, each of its lines; what is not known stays English."""
        return "\n".join(map(self._line, text.split("\n")))

    def _line(self, text: str) -> str:
        core = text.strip()
        if not core:
            return text
        at = text.index(core)
        return text[:at] + self._slot(core, 0) + text[at + len(core) :]

    def _slot(self, text: str, depth: int) -> str:
        if depth > _DEEPEST or not text:
            return text
        for attempt in (self._columns, self._changes, self._whole, self._together, self._anyhow):
            if (found := attempt(text, depth)) is not None:
                return found
        return text

    def _whole(self, text: str, depth: int) -> str | None:
        """By the template of the whole message, whose values hold no other message behind a colon, semicolon or full stop."""
        if not text:
            return None
        if (known := self.catalogue.texts.get(text) or self.catalogue.messages.get(text)) is not None:
            return known
        small = text[0].lower() + text[1:]
        if small in self.catalogue.messages:
            french = self.catalogue.messages[small]
            return french[0].upper() + french[1:]
        return self._best(text, depth, plain=True)

    def _anyhow(self, text: str, depth: int) -> str | None:
        return self._best(text, depth, plain=False)

    def _best(self, text: str, depth: int, *, plain: bool) -> str | None:
        found = [
            (not _has_comma(template.marks, values), template.letters, template.french, values)
            for template in self._candidates(text)
            if (values := template.values(text, self._kinds)) and not (plain and _hides(template.marks, values))
        ]
        if not found:
            return None
        *_, french, values = max(found, key=lambda each: each[:2])
        return self._filled(french, values, depth)

    def _candidates(self, text: str) -> Iterator[Template]:
        yield from self._by_word.get(text.partition(" ")[0], ())
        yield from self._by_word.get("", ())

    def _filled(self, french: str, values: tuple[str, ...], depth: int) -> str:
        order = iter(values)

        def value(slot: re.Match[str]) -> str:
            text = next(order)
            if slot[1] == "k":
                return self.catalogue.kinds.get(text, text)
            return self._slot(text, depth + 1) if slot[1] else text

        return _FRENCH_SLOT.sub(value, french)

    def _together(self, text: str, depth: int) -> str | None:
        """By the way in which commands put messages together."""
        for attempt in (
            self._sentences,
            self._numbered,
            self._named,
            self._several,
            self._remark,
            self._list,
        ):
            if (found := attempt(text, depth)) is not None:
                return found
        return None

    def _columns(self, text: str, depth: int) -> str | None:
        """``7/gateways  TITLE``, ``TITLE – STATE``: columns are messages of their own."""
        pieces = _divided(_COLUMNS, text)
        return "".join(self._slot(each, depth + 1) for each in pieces) if pieces else None

    def _numbered(self, text: str, depth: int) -> str | None:
        """``3. TITLE``, ``12 passed``, ``3/um-dial-plans waits for 1/servers``."""
        found = _NUMBERED.fullmatch(text)
        known = self._whole(found[2], depth + 1) if found else None
        return f"{found[1]}{known}" if found and known is not None else None

    def _sentences(self, text: str, depth: int) -> str | None:
        """Whole sentences, one after the other."""
        known = [self._whole(each, depth + 1) for each in _divided(_SENTENCES, text)]
        return " ".join(each for each in known if each is not None) if known and None not in known else None

    def _several(self, text: str, depth: int) -> str | None:
        """Messages or changes with ``;`` between them: all of them, or it is one sentence."""
        said = [
            self._change(each, depth + 1) if _CHANGE.match(each) else self._part(each, depth + 1)
            for each in _divided(_SEMICOLON, text)
        ]
        return " ; ".join(each for each in said if each is not None) if said and None not in said else None

    def _changes(self, text: str, depth: int) -> str | None:
        """One change, or several; ``CHANGES and 3 more`` is a message."""
        if not _CHANGE.match(text):
            return None
        if text.endswith(" more") and (known := self._whole(text, depth)) is not None:
            return known
        for attempt in (self._known_changes, self._several, self._change):
            if (found := attempt(text, depth)) is not None:
                return found
        return None

    def _known_changes(self, text: str, depth: int) -> str | None:
        """Changes with how they are known behind them: ``CHANGES (differs, as observed by ...)``."""
        changes, remark = _with_remark(text)
        known = self._best(remark, depth + 1, plain=True) if remark else None
        return f"{self._slot(changes, depth + 1)} ({known})" if known is not None else None

    def _change(self, text: str, depth: int) -> str | None:
        """``+ KIND NAME: DETAILS``: the kind, and of the details those that are messages."""
        rest = text[2:]
        kind = next((each for each in self._kinds if rest.startswith(each + " ")), None)
        if kind is None:
            return None
        name, colon, details = rest[len(kind) + 1 :].partition(": ")
        if " becomes " in name or kind == "service":
            name = self._slot(name, depth + 1)
        said = f"{text[:2]}{self.catalogue.kinds[kind]} {name}"
        return f"{said} : {self._details(details, depth + 1)}" if colon else said

    def _details(self, text: str, depth: int) -> str:
        """A change's details: the first that are fields with values, as they are; messages may hold commas."""
        pieces = text.split(", ")
        said: list[str] = []
        for at, piece in enumerate(pieces[:_MOST_PLACES]):
            if (known := self._detail(", ".join(pieces[at:]), depth)) is not None:
                return ", ".join((*said, known))
            said.append(self._detail(piece, depth) or piece)
        return ", ".join((*said, *pieces[_MOST_PLACES:]))

    def _detail(self, text: str, depth: int) -> str | None:
        for english in self.catalogue.details:
            french, parts = self.catalogue.messages[english], tuple(english.split(SLOT))
            if text == english:
                return french
            if len(parts) > 1 and (values := Template(parts=parts, french=french).values(text, self._kinds)):
                return self._filled(french, values, depth)
        return None

    def _named(self, text: str, depth: int) -> str | None:
        """``NAME: EVIDENCE`` where the name is a message; or ``TASK: REASON`` where the reason is one."""
        at = -1
        for _ in range(_MOST_PLACES):
            at = text.find(": ", at + 1)
            if at < 0:
                return None
            left, right = text[:at], text[at + 2 :]
            if not _is_balanced(left):
                continue
            name = left if left in self.catalogue.products else self._phrase(left, depth + 1)
            if name is not None:
                return f"{name} : {self._slot(right, depth + 1)}"
            if (found := self._reason(left, right, depth)) is not None:
                return found
        return None

    def _reason(self, left: str, right: str, depth: int) -> str | None:
        known = self._whole(right, depth + 1) if " " not in left else None
        return f"{left} : {known}" if known is not None else None

    def _part(self, text: str, depth: int) -> str | None:
        """One of several messages: also ``TASK: REASON``."""
        known = self._item(text, depth)
        left, colon, right = text.partition(": ")
        return self._reason(left, right, depth) if known is None and colon else known

    def _phrase(self, text: str, depth: int) -> str | None:
        """A message, with the place that it is about behind it (``[FOREST]``), or a list."""
        name, space, place = text.rpartition(" [")
        if place.endswith("]") and (known := self._whole(name, depth)) is not None:
            return f"{known}{space}{place}"
        known = self._whole(text, depth)
        return known if known is not None else self._list(text, depth)

    def _remark(self, text: str, depth: int) -> str | None:
        """``MESSAGE (REMARK)``, or a remark that was joined to a word."""
        message, remark = _with_remark(text)
        if not remark:
            return None
        known = self._phrase(message, depth + 1) if message else ""
        return f"{known} ({self._slot(remark, depth + 1)})" if known is not None else None

    def _list(self, text: str, depth: int) -> str | None:
        """``A and B, or C`` of values, product words and messages; ``None`` where one of it is something else."""
        pieces = _divided(_SEPARATORS, text)
        if not pieces:
            return None
        french = {", or ": ", ou " if " and " in text else " ou ", ", and ": " et ", " or ": " ou ", " and the ": " et les ",
                  " and ": " et "}  # fmt: skip
        names, between = pieces[::2], pieces[1::2]
        known = [None if self._is_value(each) else self._item(each, depth + 1) for each in names]
        if not (any(known) or set(between) != {", "}):
            return None
        if any(said is None and not self._is_value(each) for said, each in zip(known, names, strict=True)):
            return None
        said = [each or name for each, name in zip(known, names, strict=True)]
        ends = [french.get(each, each) for each in between]
        return said[0] + "".join(end + each for end, each in zip(ends, said[1:], strict=True))

    def _item(self, text: str, depth: int) -> str | None:
        known = self._whole(text, depth)
        if known is None:
            known = self._numbered(text, depth)
        return known if known is not None else self._remark(text, depth)

    def _is_value(self, text: str) -> bool:
        named = text in self.catalogue.products or any(text.startswith(f"{each} ") for each in self.catalogue.products)
        return named or (" " not in text and text not in self.catalogue.messages)


def _hides(marks: Sequence[str], values: tuple[str, ...]) -> bool:
    """Whether a value that is taken as it is holds what may be a message of its own, or a message has half of its brackets."""
    return any(
        not _is_balanced(value) if mark == "~" else not mark and _INNER.search(value) is not None
        for mark, value in zip(marks, values, strict=True)
    )


def _has_comma(marks: Sequence[str], values: tuple[str, ...]) -> bool:
    """Whether a value that is taken as it is goes on behind a comma: a template that knows what follows is to be preferred."""
    return any(not mark and ", " in value for mark, value in zip(marks, values, strict=True))


def _is_balanced(text: str) -> bool:
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += 1 if found[0] == "(" else -1
        if depth < 0:
            return False
    return depth == 0


def _with_remark(text: str) -> tuple[str, str]:
    """A text and the remark in brackets that ends it; it may hold brackets itself. Without one: the text, and nothing."""
    if text.endswith(")"):
        depth = 0
        for found in reversed(list(_BRACKETS.finditer(text))):
            depth += 1 if found[0] == ")" else -1
            if depth == 0:
                at = found.start()
                return (text[: at - 1], text[at + 1 : -1]) if text[:at].endswith(" ") else (text, "")
    return text, ""


def _divided(between: re.Pattern[str], text: str) -> list[str]:
    """The pieces of a text; none where it is one, where one is empty, or where they are too many to be looked at."""
    pieces = between.split(text, maxsplit=_MOST_PIECES)
    return pieces if len(pieces) > 1 and all(pieces) and not between.search(pieces[-1]) else []
