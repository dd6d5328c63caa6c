"""Who may import whom: the order of eqlib's packages, and no circle of files.

Every `import` counts: at the top of a file, inside a function, and where only type checkers look.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

import eqlib

ROOT = Path(eqlib.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# The house's order, from the bottom to the top: what each part may import beside itself. Nobody may import train.
BASE = {"groups", "constants", "processes", "files"}
SIDE = {"graphs", "data", "training", "viz"}
LAYERS = ["products", "harmonics", "kernels", "nn"]
MAY_IMPORT = {
    "": set(),  # eqlib/__init__.py
    "groups": set(),
    "files": set(),
    "constants": {"groups"},
    "processes": {"groups"},
    "convert": BASE,
    **{name: BASE | SIDE for name in SIDE},
    **{name: BASE | {"graphs", *LAYERS[:i]} for i, name in enumerate(LAYERS)},
    "models": BASE | {"graphs", "data", *LAYERS},
    "testing": {"groups", "kernels", "nn"},
    "exercises": BASE | SIDE | {*LAYERS, "convert", "models", "testing"},
    "tasks": BASE | SIDE | {*LAYERS, "models", "testing"},
    "train": BASE | SIDE | {*LAYERS, "models", "tasks"},
}


def module(file: Path) -> str:
    """eqlib/nn/linear.py -> eqlib.nn.linear, eqlib/nn/__init__.py -> eqlib.nn."""
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(file) for file in FILES}


def imports(source: str, name: str, package: bool = False) -> set[str]:
    """The modules of eqlib that this source imports, for a module `name`, or a package's `__init__`.

    `from eqlib import data` is eqlib.data, its `__init__`; `from eqlib.nn import Linear` is eqlib.nn, since Linear is no
    file; `from eqlib.nn.linear import Linear` is the file.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "eqlib"}
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".")
            base = parts[: len(parts) - node.level + package] if node.level else []
            source_module = ".".join([*base, *([node.module] if node.module else [])])
            if source_module.split(".")[0] != "eqlib":
                continue
            for alias in node.names:
                inner = f"{source_module}.{alias.name}"
                found.add(inner if inner in MODULES else source_module)
    return found


def packages_on_the_way(name: str, other: str) -> set[str]:
    """The `__init__` files that run before `other` does, but for those of packages that hold `name`."""
    parts = other.split(".")
    above = {".".join(parts[:i]) for i in range(1, len(parts))}
    return {package for package in above if package != name and not name.startswith(package + ".")}


@cache
def graph() -> dict[str, set[str]]:
    edges = {module(f): imports(f.read_text("utf-8"), module(f), f.name == "__init__.py") for f in FILES}
    return {name: found.union(*(packages_on_the_way(name, o) for o in found)) for name, found in edges.items()}


def top(name: str) -> str:
    """eqlib.nn.linear -> nn."""
    return name.partition(".")[2].partition(".")[0]


def circle(edges: dict[str, set[str]]) -> list[str]:
    """A circle of modules, first and last the same, or nothing: a depth-first search."""
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(edges.get(name, ())):
            if found := search(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(edges) if (found := search(name, []))), [])


def test_imports_point_downwards():
    found = {(name, other) for name, others in graph().items() for other in others}
    assert {(name, other) for name, other in found if top(other) not in MAY_IMPORT[top(name)] | {top(name)}} == set()


def test_no_circle_of_files():
    assert circle(graph()) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from eqlib import data", {"eqlib.data"}),
        ("from eqlib.nn import Linear, blocks", {"eqlib.nn", "eqlib.nn.blocks"}),
        ("import eqlib.nn.linear as l, torch", {"eqlib.nn.linear"}),
        ("def f():\n    from eqlib.models import Head", {"eqlib.models"}),
        ("if TYPE_CHECKING:\n    from eqlib.tasks.digits import digits", {"eqlib.tasks.digits"}),
        (
            "from . import blocks\nfrom .blocks import split\nfrom ..groups import Rep",
            {"eqlib.nn.blocks", "eqlib.groups"},
        ),
        ("import torch\nfrom eqlibs import x", set()),
    ],
)
def test_every_form_of_import_is_seen(source, expected):
    assert imports(source, "eqlib.nn.linear") == expected


def test_packages_count_where_they_run():
    """From outside, a package's `__init__` runs first. Inside it runs already: or every list of files would be a circle."""
    assert packages_on_the_way("eqlib.models.heads", "eqlib.nn.linear") == {"eqlib.nn"}
    assert packages_on_the_way("eqlib.nn.linear", "eqlib.nn.blocks") == set()
    assert packages_on_the_way("eqlib.nn", "eqlib.nn.blocks") == set()


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
