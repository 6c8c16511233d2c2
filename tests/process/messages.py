"""The templates of the messages that modules make, read from their syntax trees: what is said, with ``{}`` for each value.

A template is a string constant, or an f-string with its values taken out. Strings that are put together by ``+``, by a choice
(``a if x else b``) or from a local variable that holds a part of a sentence come out whole, one template for each way. What
nobody reads is passed over: docstrings, keys, what is compared, what is looked for, and the identifiers of tasks and fields.
"""

import ast
import itertools
import re
from collections.abc import Iterator

SLOT = "{}"
_MOST = 16
"""Ways in which one string is put together, at most."""
_NOT_READ = {
    "startswith", "endswith", "partition", "rpartition", "split", "removeprefix", "removesuffix", "child",
    "get", "find", "rfind", "encode", "decode", "getattr", "setattr", "any_of", "group", "declared",
    "getLogger", "strptime", "replace", "ensure_aces", "compile", "option", "argument", "TypeVar", "Path",
    "index", "count", "openlog", "syslog",
}  # fmt: skip
"""Calls whose strings nobody reads."""
_MESSAGE_CALLS = {"check", "report", "_report", "_error", "ensure", "_account", "Rule", "like"}
"""Calls whose strings are messages, also of a single word."""
_MESSAGE_FIELDS = {"kind", "title", "hidden", "reason", "advice", "found", "expected", "by_hand"}
_WORD = re.compile(r"[\w./:@=,\\{}\-\[\]()$^*+?|&<>#'\"%~!;]*")


class Module:
    """One module: its strings, as templates."""

    def __init__(self, source: str) -> None:
        self._tree = ast.parse(source)
        self._parent = {id(child): node for node in ast.walk(self._tree) for child in ast.iter_child_nodes(node)}
        self._assigned: dict[tuple[int, str], list[ast.expr]] = {}
        self._joined: dict[tuple[int, str], list[ast.expr]] = {}
        for node in ast.walk(self._tree):
            self._note(node)
        self._parts: set[tuple[int, str]] = set()
        self._parts = {key for key in self._assigned if self._is_part(key)}

    def said(self) -> Iterator[tuple[str, bool]]:
        """Each template, and whether it stands where only messages stand (so that a single word is one)."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.expr) and self._is_root(node):
                told = self._is_told(node)
                for template in self._with_begin(node):
                    yield template, told

    def _with_begin(self, node: ast.expr) -> list[str]:
        """Of what is added to a sentence that a variable holds (``found += "..."``): the whole."""
        parent = self._parent[id(node)]
        if isinstance(parent, ast.AugAssign) and isinstance(parent.target, ast.Name):
            begin = self._assigned.get((id(self._function(node)), parent.target.id), [])
            last = [each for each in begin if each.lineno < node.lineno][-1:]
            return [a + b for each in last for a in self.templates(each) for b in self.templates(node)]
        return self.templates(node)

    def constants(self) -> set[str]:
        """Every string constant, also what is not a message by itself, such as the value of an enumeration."""
        return {
            node.value
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }

    def templates(self, node: ast.expr) -> list[str]:
        """What an expression may say."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=values):
                return self._product([self.templates(each) for each in values])
            case ast.FormattedValue(value=value):
                return self._value(value)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return self._product([self._value(left), self._value(right)])
            case ast.IfExp(body=body, orelse=orelse):
                return [*self.templates(body), *self.templates(orelse)]
            case _:
                return [SLOT]

    def _value(self, node: ast.expr) -> list[str]:
        """A value within a string: a part of the sentence that a local variable or a choice holds, or a slot."""
        if isinstance(node, ast.Name):
            key = (id(self._function(node)), node.id)
            return self._ways(key) if key in self._parts else [SLOT]
        if isinstance(node, ast.Constant) and not isinstance(node.value, str):
            return [SLOT]
        if isinstance(node, ast.IfExp):
            ways = [*self._value(node.body), *self._value(node.orelse)]
            return ways if SLOT not in ways else [SLOT]
        return self.templates(node)

    def _ways(self, key: tuple[int, str]) -> list[str]:
        ways = [way for value in self._assigned[key] for way in self.templates(value)]
        for more in self._joined.get(key, ()):
            ways += [a + b for a, b in itertools.product(list(ways), self.templates(more))]
        return ways[:_MOST]

    @staticmethod
    def _product(parts: list[list[str]]) -> list[str]:
        ways = ("".join(each) for each in itertools.product(*parts))
        return list(dict.fromkeys(itertools.islice(ways, _MOST)))

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            pairs: list[tuple[ast.expr, ast.expr]] = []
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs += zip(target.elts, node.value.elts, strict=False)
                else:
                    pairs.append((target, node.value))
            for target, value in pairs:
                if isinstance(target, ast.Name):
                    self._assigned.setdefault((id(self._function(node)), target.id), []).append(value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and isinstance(node.target, ast.Name):
            self._joined.setdefault((id(self._function(node)), node.target.id), []).append(node.value)

    def _function(self, node: ast.AST) -> ast.AST:
        while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            node = self._parent[id(node)]
        return node

    def _is_part(self, key: tuple[int, str]) -> bool:
        """Whether a variable holds part of a sentence: text in every way, and used within strings only."""
        ways = [way for value in self._assigned[key] for way in self.templates(value)]
        if not ways or SLOT in ways or not any(" " in way for way in ways):
            return False
        uses = [
            node
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and (id(self._function(node)), node.id) == key
            and not self._is_asked(node)
        ]
        return bool(uses) and all(self._within(node) for node in uses)

    def _is_asked(self, node: ast.expr) -> bool:
        parent = self._parent[id(node)]
        return isinstance(parent, ast.IfExp | ast.If) and parent.test is node

    def _within(self, node: ast.expr) -> bool:
        parent = self._parent[id(node)]
        if isinstance(parent, ast.IfExp) and parent.test is not node:
            parent = self._parent[id(parent)]
        return isinstance(parent, ast.FormattedValue) or self._is_sum(parent)

    def _is_root(self, node: ast.expr) -> bool:
        """Whether it is a whole string, and one that somebody may read."""
        text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        if not text and not self._is_sum(node):
            return False
        parent = self._parent.get(id(node))
        if isinstance(parent, ast.JoinedStr | ast.FormattedValue) or (parent is not None and self._is_sum(parent)):
            return False
        if isinstance(parent, ast.IfExp) and parent.test is not node and self._inlined(parent):
            return False
        if self._is_assigned_part(node):
            return False
        return not self._is_unread(node)

    def _is_sum(self, node: ast.AST) -> bool:
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)):
            return False
        return any(
            isinstance(n, ast.JoinedStr)
            or (isinstance(n, ast.Constant) and isinstance(n.value, str))
            or self._is_sum(n)
            for side in (node.left, node.right)
            for n in ([side.body, side.orelse] if isinstance(side, ast.IfExp) else [side])
        )

    def _inlined(self, node: ast.IfExp) -> bool:
        parent = self._parent[id(node)]
        inside = isinstance(parent, ast.FormattedValue) or self._is_sum(parent)
        return (inside and SLOT not in [*self.templates(node)]) or self._is_assigned_part(node)

    def _is_assigned_part(self, node: ast.AST) -> bool:
        while isinstance(parent := self._parent.get(id(node)), ast.IfExp | ast.Tuple):
            node = parent
        names: list[ast.expr] = []
        if isinstance(parent, ast.Assign):
            names = [n for t in parent.targets for n in (t.elts if isinstance(t, ast.Tuple) else [t])]
            if isinstance(parent.value, ast.Tuple):
                return False
        elif isinstance(parent, ast.AugAssign):
            names = [parent.target]
        return any(isinstance(n, ast.Name) and (id(self._function(n)), n.id) in self._parts for n in names)

    def _is_unread(self, node: ast.expr) -> bool:
        child: ast.AST = node
        parent = self._parent.get(id(node))
        while parent is not None and not isinstance(parent, ast.stmt):
            if isinstance(parent, ast.Compare | ast.Subscript):
                return True
            if isinstance(parent, ast.Attribute):
                return True
            if isinstance(parent, ast.Dict) and child in parent.keys:
                return True
            if isinstance(parent, ast.IfExp) and child is parent.test:
                return True
            if isinstance(parent, ast.Call) and child is not parent.func:
                name = parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
                if name in _NOT_READ or (name == "Text" and child in parent.args[1:]):
                    return True  # Text(en, fr) is a message in both languages
            child, parent = parent, self._parent.get(id(parent))
        if isinstance(parent, ast.Expr) and parent.value is node:
            return True  # a docstring
        return isinstance(parent, ast.AnnAssign) and child is parent.annotation

    def _is_told(self, node: ast.expr) -> bool:
        parent = self._parent.get(id(node))
        if isinstance(parent, ast.IfExp):
            parent = self._parent.get(id(parent))
        if isinstance(parent, ast.keyword):
            return parent.arg in _MESSAGE_FIELDS
        if isinstance(parent, ast.Call):
            name = parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
            return name in _MESSAGE_CALLS
        return False


def is_message(template: str, told: bool) -> bool:
    """Whether a template is for people: it has two words, or stands where only messages stand."""
    bare = template.replace(SLOT, "").strip()
    if not re.search(r"[A-Za-z]{2}", bare):
        return False
    return told or not _WORD.fullmatch(template.strip())
