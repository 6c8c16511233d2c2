"""The map of rooms in docs/architecture.md, drawn from the imports of src/tandem."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "tandem"
BEGIN, END = "<!-- rooms: made by tools/render_reference -->\n", "<!-- /rooms -->"


def architecture(page: str) -> str:
    """The page with its map and its table of rooms up to date."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}{_map()}\n{_table()}{END}{rest.split(END)[1]}"


def _map() -> str:
    """A Mermaid graph of the rooms. An arrow that follows from two others is left out."""
    edges = _edges()
    shown = [f"    {a} --> {b}" for a in sorted(edges) for b in sorted(edges[a]) if not _indirect(edges, a, b)]
    return "```mermaid\ngraph TD\n" + "\n".join(shown) + "\n```\n"


def _edges() -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {}
    for file in SOURCE.rglob("*.py"):
        room = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tandem."):
                edges.setdefault(room, set()).add(node.module.split(".")[1])
    edges.pop("testing", None)  # the test kit, which nothing in the product imports
    edges.pop("__main__", None)
    return {room: reached - {room} for room, reached in edges.items()}


def _indirect(edges: dict[str, set[str]], a: str, b: str) -> bool:
    waiting, seen = list(edges[a] - {b}), set()
    while waiting:
        room = waiting.pop()
        if room == b:
            return True
        if room not in seen:
            seen.add(room)
            waiting.extend(edges.get(room, ()))
    return False


def _table() -> str:
    """Each room and its folders, with what their docstrings say."""
    rows = ["| room | what it is |", "|---|---|"]
    for package in sorted(p.parent for p in SOURCE.glob("*/**/__init__.py")):
        name = package.relative_to(SOURCE).as_posix()
        says = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
        rows.append(f"| `{name}` | {says.splitlines()[0].replace('``', '`')} |")
    return "\n".join(rows) + "\n"
