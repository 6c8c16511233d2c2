"""What src/tandem is made of, as its syntax trees tell it."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file: its dotted name, its path from the project's root, its tree."""

    name: str
    path: Path
    tree: ast.Module
    text: str

    @property
    def package(self) -> str:
        """What relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


@functools.cache
def modules() -> dict[str, Module]:
    """Every module by its name."""
    found = {}
    for path in sorted(SRC.rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text()
        found[name] = Module(name=name, path=path.relative_to(ROOT), tree=ast.parse(text), text=text)
    return found


def imports(module: Module) -> Iterator[str]:
    """The modules of ours that a module imports anywhere: in functions and for type checking too."""
    ours = modules()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.package.split(".")
                base = ".".join([*above[: len(above) - node.level + 1], *([base] if base else [])])
            # "from package import module" is an import of the module, not of its package.
            names = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in ours else base for alias in node.names]
        else:
            continue
        yield from (name for name in names if name in ours and name != module.name)


def graph() -> dict[str, set[str]]:
    """Who imports whom."""
    return {name: set(imports(module)) for name, module in modules().items()}


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components with more than one member (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in sorted(edges[node]):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            at = stack.index(node)
            members = sorted(stack[at:])
            del stack[at:]
            if len(members) > 1:
                found.append(members)

    for node in sorted(edges):
        if node not in number:
            visit(node)
    return sorted(found)


def classes() -> Iterator[tuple[Module, ast.ClassDef]]:
    """Every class at the top of a module."""
    for module in modules().values():
        yield from ((module, node) for node in module.tree.body if isinstance(node, ast.ClassDef))


def texts(module: Module) -> Iterator[tuple[int, str]]:
    """Every string of a module with its line: messages, help, docstrings."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
