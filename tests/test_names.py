"""Names: what a package gives away hides no module of it, exists, and is not private to another file."""

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest

import eqlib

ROOT = Path(eqlib.__file__).parent
PACKAGES = sorted(file.parent for file in ROOT.rglob("__init__.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)


def modules(folder: Path) -> list[str]:
    """Names of the files and packages in a package's folder."""
    packages = [p.parent.name for p in folder.glob("*/__init__.py")]
    return sorted([*packages, *(p.stem for p in folder.glob("*.py") if p.stem != "__init__")])


@pytest.mark.parametrize("folder", PACKAGES, ids=dotted)
def test_no_name_hides_a_module(folder):
    """`import eqlib.models.nearest` must give the file, also where eqlib.models re-exports a function."""
    package = importlib.import_module(dotted(folder))
    names = {name: vars(package)[name] for name in modules(folder) if name in vars(package)}
    assert [name for name, value in names.items() if not isinstance(value, ModuleType)] == []


@pytest.mark.parametrize("folder", PACKAGES, ids=dotted)
def test_listed_names_exist(folder):
    package = importlib.import_module(dotted(folder))
    assert [name for name in getattr(package, "__all__", []) if not hasattr(package, name)] == []


def private_imports(file: Path) -> list[str]:
    """What a file takes from another file although its name begins with an underscore."""
    found = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    names = [(node.module or "", alias.name) for node in found for alias in node.names]
    return [f"{module}.{name}" for module, name in names if module.startswith("eqlib") and name.startswith("_")]


def test_no_private_name_is_imported():
    found = {dotted(file): private_imports(file) for file in ROOT.rglob("*.py")}
    assert {file: names for file, names in found.items() if names} == {}
