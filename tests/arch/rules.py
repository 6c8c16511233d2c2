"""The rules of the house, each as a function that returns those who break it."""

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path

from arch.source import ROOT, circles, classes, graph, modules, texts

CLASS_LINES = 250
ROOM_FILES = 15
SPAWNING = 4
WORDS = {
    "anew": "again",
    "as it must be": "as declared",
    "at hand": "current",
    "beside the process": "outside Tandem",
    "has to have": "needs",
    "lamp": "MWI, message waiting",
    "lamps": "MWI, message waiting",
    "mend": "fix",
    "mended": "fixed",
    "mends": "fixes",
    "standing call": "active call",
    "standing calls": "active calls",
    "whoever": "the caller, the user, ...",
}
"""A private dialect, and what to write (CONTRIBUTING.md, plain English)."""
SAME_NAME: dict[str, str] = {}
"""Classes of one name that may stand in several modules, each with its reason."""
_WORDS = re.compile(
    r"\b(?:" + "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True)) + r")\b(?!\.json)", re.IGNORECASE
)


def import_circles() -> list[str]:
    """Modules that import each other, by whatever way."""
    return [" <-> ".join(members) for members in circles(graph())]


def long_classes() -> list[str]:
    """Classes that are too long."""
    return [
        f"{module.path}:{node.lineno} {node.name}: {length} lines"
        for module, node in classes()
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > CLASS_LINES
    ]


def crowded_rooms() -> list[str]:
    """Folders with too many modules of their own."""
    held = Counter(module.path.parent for module in modules().values() if module.path.name != "__init__.py")
    return [f"{folder}: {count} files" for folder, count in sorted(held.items()) if count > ROOM_FILES]


def spawned() -> list[str]:
    """Places that make a task of their own."""
    names = ("create_task", "ensure_future")
    return [
        f"{module.path}:{node.lineno}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Attribute) and node.attr in names) or (isinstance(node, ast.Name) and node.id in names)
    ]


def rooms_with_code() -> list[str]:
    """Packages whose ``__init__`` holds more than its docstring."""
    return [
        str(module.path)
        for module in modules().values()
        if module.path.name == "__init__.py" and (len(module.tree.body) != 1 or not ast.get_docstring(module.tree))
    ]


def twin_classes() -> list[str]:
    """Classes that have their name from several modules."""
    named = defaultdict(list)
    for module, node in classes():
        if not node.name.startswith("_"):
            named[node.name].append(f"{module.path}:{node.lineno}")
    return [
        f"{name}: {', '.join(places)}"
        for name, places in sorted(named.items())
        if len(places) > 1 and name not in SAME_NAME
    ]


def dialect() -> list[str]:
    """Words of the private dialect in strings of src, and in the pages."""
    found = [
        f"{module.path}:{line}: {match[0]!r}, write {WORDS[match[0].lower()]!r}"
        for module in modules().values()
        for line, text in texts(module)
        for match in _WORDS.finditer(text)
    ]
    for page in pages():
        for number, line in enumerate(page.read_text().splitlines(), 1):
            for match in _WORDS.finditer(line):
                found.append(f"{page.relative_to(ROOT)}:{number}: {match[0]!r}, write {WORDS[match[0].lower()]!r}")
    return found


def pages() -> list[Path]:
    """What a reader opens; a changelog and decisions keep the words of their day."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "adr" not in page.parts),
    ]
