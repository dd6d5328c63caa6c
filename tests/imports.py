"""Which file of a package imports which, as the text says: also inside functions and under TYPE_CHECKING."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path


def import_graph(folder: Path, package: str) -> dict[str, set[str]]:
    """{module: modules of the same package that it names in any import}, for all files in `folder`, which is `package`.

    `from package import name` counts as an import of package/name.py where that file exists, else of package/__init__.py. That
    an import runs the `__init__.py` above a module is not counted, or every package that re-exports would be a circle.
    """
    files = {_name(path, folder, package): path for path in sorted(folder.rglob("*.py"))}
    graph = {}
    for name, path in files.items():
        found: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {_known(x.name, files) for x in node.names}
            elif isinstance(node, ast.ImportFrom):
                here = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
                above = here[: len(here) + 1 - node.level] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                whole = {f"{base}.{x.name}" for x in node.names}
                found |= {x if x in files else _known(base, files) for x in whole}
        graph[name] = found - {"", name}
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first again at the end; empty where there are none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def _name(path: Path, folder: Path, package: str) -> str:
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])


def _known(name: str, files: dict[str, Path]) -> str:
    """The file of the package that a dotted name stands in, "" for another package's."""
    while name and name not in files:
        name = name.rpartition(".")[0]
    return name
