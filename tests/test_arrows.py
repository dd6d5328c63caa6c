"""Who may import whom: the order of eqlib's packages, and no circle of files.

Every `import` counts: at the top of a file, inside a function, and where only type checkers look.
"""

from functools import cache
from pathlib import Path

import eqlib
from tests.imports import circle, import_graph

ROOT = Path(eqlib.__file__).parent

# The house's order, from the bottom to the top: what each part may import beside itself. Nobody may import train.
BASE = {"doors", "doubtful", "groups", "constants", "processes", "files"}
SIDE = {"graphs", "data", "training", "viz"}
LAYERS = ["products", "harmonics", "kernels", "nn"]
MAY_IMPORT = {
    "": set(),  # eqlib/__init__.py
    "doors": set(),
    "groups": {"doors"},
    "doubtful": set(),
    "files": set(),
    "constants": {"groups"},
    "processes": {"groups"},
    "convert": BASE,
    **{name: BASE | SIDE for name in SIDE},
    **{name: BASE | {"graphs", *LAYERS[:i]} for i, name in enumerate(LAYERS)},
    "models": BASE | {"graphs", "data", *LAYERS},
    "calculator": BASE | {"graphs", "data", *LAYERS, "models"},
    "testing": {"groups", "kernels", "nn"},
    "exercises": BASE | SIDE | {*LAYERS, "convert", "models", "testing"},
    "tasks": BASE | SIDE | {*LAYERS, "models", "testing"},
    "train": BASE | SIDE | {*LAYERS, "models", "tasks"},
}


def packages_on_the_way(name: str, other: str) -> set[str]:
    """The `__init__` files that run before `other` does, but for those of packages that hold `name`."""
    parts = other.split(".")
    above = {".".join(parts[:i]) for i in range(1, len(parts))}
    return {package for package in above if package != name and not name.startswith(package + ".")}


@cache
def graph() -> dict[str, set[str]]:
    edges = import_graph(ROOT, "eqlib")
    return {name: found.union(*(packages_on_the_way(name, o) for o in found)) for name, found in edges.items()}


def top(name: str) -> str:
    """eqlib.nn.linear -> nn."""
    return name.partition(".")[2].partition(".")[0]


def test_imports_point_downwards():
    found = {(name, other) for name, others in graph().items() for other in others}
    assert {(name, other) for name, other in found if top(other) not in MAY_IMPORT[top(name)] | {top(name)}} == set()


def test_no_circle_of_files():
    assert circle(graph()) == []


def test_packages_count_where_they_run():
    """From outside, a package's `__init__` runs first. Inside it runs already: or every list of files would be a circle."""
    assert packages_on_the_way("eqlib.models.heads", "eqlib.nn.linear") == {"eqlib.nn"}
    assert packages_on_the_way("eqlib.nn.linear", "eqlib.nn.blocks") == set()
    assert packages_on_the_way("eqlib.nn", "eqlib.nn.blocks") == set()
