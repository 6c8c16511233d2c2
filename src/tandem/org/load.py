"""The organization file (YAML) to an :class:`Organization`, or to every mistake in it at once.

What a key may hold is read from the model itself: its fields, their types, defaults and rules;
:mod:`tandem.org.checks` what has to fit together. Users may be in a CSV file beside it, whose
header names the same keys. Nothing is guessed: an unknown key is an error, with the nearest known one.
"""

import dataclasses
import difflib
import enum
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tandem.org import model, rules
from tandem.org.checks import check
from tandem.org.errors import ConfigError, Finding, Severity
from tandem.org.findings import DeclaredAt, Findings, expected_of
from tandem.org.users_csv import UsersFile, only_choices
from tandem.org.yamltext import mistake_of

MAX_FILE_BYTES = 16 << 20
_MAX_NODES = 2_000_000
FORMAT_VERSION = "1"
_TOP = {"tandem", "users_csv"}  # keys beside the fields of Organization
_PEOPLE = {model.DeclaredUser: "user", model.Administrator: "administrator"}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Loaded:
    """What came of a file: the organization unless there are errors, the findings, and how many users were read.

    ``declared`` is the organization with whatever is wrong with it, if it could be read at all: to look at, never to deploy.
    """

    organization: model.Organization | None
    findings: tuple[Finding, ...]
    users: int = 0
    declared: model.Organization | None = None


def load_organization(path: Path) -> Loaded:
    """Read and check a file; what is wrong with it is in the findings, never raised."""
    reader = _OrganizationReader(path)
    organization = reader.read()
    if organization is not None:
        for place, severity, found, expected in check(organization):
            if reader.is_partial(place):
                continue
            at = reader.findings.places.get(id(place)) or DeclaredAt(file=path.name, line=0, key="")
            reader.report(at, found, expected, severity)
    findings = tuple(sorted(reader.findings.found))
    wrong = any(f.severity is Severity.ERROR for f in findings)
    users = len(organization.users) if organization else 0
    return Loaded(None if wrong else organization, findings, users, organization)


def require_organization(path: Path) -> model.Organization:
    """The organization of a file. Raises :class:`ConfigError` with every error."""
    loaded = load_organization(path)
    if loaded.organization is None:
        raise ConfigError(path, loaded.findings)
    return loaded.organization


class _OrganizationReader:
    """Walks the tree of one file and collects findings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.findings = Findings()
        self.report = self.findings.report
        self._nodes = 0
        self._partial: set[str] = set()

    def is_partial(self, about: object) -> bool:
        """Whether a key of an object (or of the whole file) could not be read: what it lacks follows from that."""
        place = self.findings.places.get(id(about))
        return "" in self._partial or (place is not None and place.key in self._partial)

    def read(self) -> model.Organization | None:
        """The organization as far as it could be read, or ``None``."""
        root = self._tree()
        top = DeclaredAt(file=self.path.name, line=1, key="")
        if root is None:
            return None
        if not isinstance(root, yaml.MappingNode):
            self.report(
                top, "the file is not a mapping", "keys such as 'name:' and 'users:' ('tandem init' shows them all)"
            )
            return None
        items = self._items(root, "", ({f.name for f in dataclasses.fields(model.Organization)} | _TOP) - {"path"})
        version = items.pop("tandem", None)
        if version is None or not isinstance(version, yaml.ScalarNode) or version.value != FORMAT_VERSION:
            self.report(
                dataclasses.replace(top, key="tandem"),
                "missing" if version is None else f"found {_shown(version)}",
                f"tandem: {FORMAT_VERSION}, the version of this file format",
            )
        csv_node = items.pop("users_csv", None)
        values, whole = self._fields(model.Organization, items, "", 1, given={"path": self.path})
        users = self._users_of(csv_node, values) if csv_node is not None else ()
        if not whole:
            return None
        folder = self.path.resolve().parent
        values["users"] = (*values.get("users", ()), *users)
        values.update(
            path=self.path.resolve(),
            state=folder / values.get("state", "state"),
            secrets=folder / values.get("secrets", "secrets"),
            **({"directory_roots": folder / roots} if (roots := values.get("directory_roots")) else {}),
        )
        directory = str(values["directory"])
        if "://" not in directory:
            values["directory"] = str(folder / directory)
        return model.Organization(**values)

    def _tree(self) -> yaml.Node | None:
        whole = DeclaredAt(file=self.path.name, line=0, key="")
        try:
            data = self.path.read_bytes()
        except OSError as error:
            self.report(
                whole, f"cannot be read: {error.strerror}", "an organization file; 'tandem init DIR' writes one"
            )
            return None
        if len(data) > MAX_FILE_BYTES:
            self.report(whole, f"{len(data)} bytes", f"at most {MAX_FILE_BYTES}; keep many users in a users_csv file")
            return None
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            self.report(dataclasses.replace(whole, line=line), "a byte that is not UTF-8", "a file saved as UTF-8")
            return None
        try:
            root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            mistake = mistake_of(text, error)
            self.report(dataclasses.replace(whole, line=mistake.line), mistake.found, mistake.expected)
            return None
        except RecursionError:
            self.report(whole, "nested too deeply", "the structure that 'tandem init' shows")
            return None
        if root is None:
            self.report(whole, "the file is empty", "an organization; 'tandem init DIR' writes an example")
        return root

    def _place(self, node: yaml.Node, key: str) -> DeclaredAt:
        return DeclaredAt(file=self.path.name, line=node.start_mark.line + 1, key=key)

    def _items(self, node: yaml.MappingNode, key: str, known: set[str]) -> dict[str, yaml.Node]:
        """The values by key; unknown and doubled keys are reported and left out."""
        items: dict[str, yaml.Node] = {}
        for name_node, value in node.value:
            name = str(name_node.value) if isinstance(name_node, yaml.ScalarNode) else "?"
            at = self._place(name_node, _under(key, name))
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), 1)
                blank = " (with a non-breaking space, which looks like a blank)" if "\u00a0" in name else ""
                self.report(
                    at, f"unknown key{blank}", f"'{near[0]}'?" if near else f"one of {', '.join(sorted(known))}"
                )
                self._partial.add(key)
            elif name in items:
                self.report(at, "appears twice", "each key once")
                self._partial.add(key)
            else:
                items[name] = value
        return items

    def _fields(
        self, type_: type, items: dict[str, yaml.Node], key: str, line: int, given: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], bool]:
        """The fields of a type from their nodes, as far as they are right, and whether all that is needed is there."""
        hints = typing.get_type_hints(type_)
        values: dict[str, Any] = {}
        whole = True
        for field in dataclasses.fields(type_):
            if field.name in (given or {}):
                continue
            at = _under(key, field.name)
            node = items.get(field.name)
            if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
                # 'key:' with nothing behind it is a key that was left out.
                if field.default is dataclasses.MISSING and field.name not in ("state", "secrets"):
                    place = (
                        DeclaredAt(file=self.path.name, line=line, key=at) if node is None else self._place(node, at)
                    )
                    self.report(place, "missing", expected_of(type_, field.name))
                    whole = False
                continue
            value = self._value(node, hints[field.name], at, rules.rules_of(type_).get(field.name))
            if value is None:
                whole = False
            else:
                values[field.name] = value
        return values, whole

    def _value(self, node: yaml.Node, hint: Any, key: str, rule: rules.Rule | None) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            if self._nodes == _MAX_NODES + 1:
                self.report(self._place(node, key), "too many values (aliases that multiply?)", f"at most {_MAX_NODES}")
            return None
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return self._value(node, next(a for a in arguments if a is not type(None)), key, rule)
        if origin is typing.Literal:  # some words of a vocabulary
            return self._word(self._text_of(node, key, rule), arguments, self._place(node, key))
        if origin is tuple:
            return self._sequence(node, arguments[0], key, rule)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return self._object(node, hint, key)
        text = self._text_of(node, key, rule)
        return None if text is None else self._convert(text, hint, self._place(node, key), rule)

    def _text_of(self, node: yaml.Node, key: str, rule: rules.Rule | None) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.report(self._place(node, key), f"found {_shown(node)}", rule.expected if rule else "a single value")
        return None

    def _sequence(self, node: yaml.Node, hint: Any, key: str, rule: rules.Rule | None) -> tuple[Any, ...] | None:
        if not isinstance(node, yaml.SequenceNode):
            self.report(self._place(node, key), f"found {_shown(node)}", "a list (lines that begin with '- ')")
            return None
        values = [
            self._value(item, hint, _account_key(item, hint) or f"{key}[{at}]", rule)
            for at, item in enumerate(node.value)
        ]
        return None if any(v is None for v in values) else tuple(values)

    def _object(self, node: yaml.Node, hint: type, key: str) -> Any:
        if not isinstance(node, yaml.MappingNode):
            self.report(
                self._place(node, key),
                f"found {_shown(node)}",
                f"a mapping with the keys of a {model.declared_name(hint)}",
            )
            return None
        items = self._items(node, key, {f.name for f in dataclasses.fields(hint)})
        values, whole = self._fields(hint, items, key, node.start_mark.line + 1)
        return self.findings.made(hint, values, self._place(node, key)) if whole else None

    def _convert(self, text: str, hint: Any, at: DeclaredAt, rule: rules.Rule | None) -> Any:
        """Text to a value of the hinted type; ``None`` and a finding if it is not one."""
        shown = rules.found_text(text)
        if hint is bool:
            value = {"true": True, "yes": True, "false": False, "no": False}.get(text.lower())
            if value is None:
                self.report(at, shown, "true or false")
            return value
        if hint is int:
            if not text.isascii() or not text.isdigit() or len(text) > 9:
                self.report(at, shown, rule.expected if rule else "a number")
                return None
        elif isinstance(hint, type) and issubclass(hint, enum.StrEnum):
            return self._word(text, tuple(hint), at)
        if rule is not None and not rule.holds(text):
            self.report(at, rule.found(text), rule.expected)
            return None
        return int(text) if hint is int else Path(text) if hint is Path else text

    def _word(self, text: str | None, known: Sequence[enum.StrEnum], at: DeclaredAt) -> enum.StrEnum | None:
        """The one of these words that a text is."""
        if text is None or text in known:
            return next((word for word in known if word == text), None)
        near = next((word for word in known if word.lower() == text.lower()), None)
        expected = f"{near} (as it is written here)" if near else f"one of {', '.join(known)}"
        self.report(at, rules.found_text(text), expected)
        return None

    def _users_of(self, node: yaml.Node, values: dict[str, Any]) -> tuple[model.DeclaredUser, ...]:
        """The users of a CSV file. ``values`` are what the organization declares beside them."""
        at = self._place(node, "users_csv")
        if not isinstance(node, yaml.ScalarNode):
            self.report(at, f"found {_shown(node)}", "the name of a CSV file")
            return ()
        defaults = only_choices(
            tuple(forest.name for forest in values.get("forests", ())),
            values.get("organizational_units", ()),
            of_contacts=frozenset(contact.ou for contact in values.get("contacts", ())),
        )
        return UsersFile(self.path.resolve().parent, str(node.value), self.findings, defaults).read(at)


def _under(key: str, name: str) -> str:
    return f"{key}{', ' if ' ' in key else '.'}{name}" if key else name


def _account_key(node: yaml.Node, hint: Any) -> str:
    """A person by account, as administrators know them, and not by the place in the list."""
    called = _PEOPLE.get(hint)
    if called is None or not isinstance(node, yaml.MappingNode):
        return ""
    accounts = (value.value for name, value in node.value if name.value == "account")
    account = next(accounts, "")
    return f"{called} {account[:64]}" if isinstance(account, str) and account.isprintable() and account else ""


def _shown(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.SequenceNode():
            return "a list"
        case _:
            return rules.found_text(str(node.value)).removeprefix("found ")
