"""Files of eqlib/groups stand above each other: no circle, whatever kind of import it is made of."""

import ast
from pathlib import Path

import pytest

from eqlib import groups
from tests.imports import circle, import_graph

FOLDER = Path(groups.__file__).parent


def test_no_two_files_import_each_other():
    graph = import_graph(FOLDER, "eqlib.groups")
    assert graph["eqlib.groups"] >= {"eqlib.groups.group", "eqlib.groups.weights"}
    assert graph["eqlib.groups.subgroups"] >= {"eqlib.groups.embedding", "eqlib.groups.rep"}
    assert circle(graph) == []


def test_imports_stand_at_the_top():
    for path in FOLDER.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [x.lineno for x in ast.walk(tree) if isinstance(x, ast.Import | ast.ImportFrom)]
        assert imports == [x.lineno for x in tree.body if isinstance(x, ast.Import | ast.ImportFrom)], path.name


def test_what_a_group_is_lies_below_what_is_derived_from_it():
    graph = import_graph(FOLDER, "eqlib.groups")
    below, ready = {"eqlib.groups.group"}, ["eqlib.groups.group"]
    for name in ready:  # grows
        ready += graph[name] - below
        below |= graph[name]
    families = ("planar", "spatial", "lorentz", "simple", "finite", "product", "generated")
    assert not below & {f"eqlib.groups.{x}" for x in ("subgroups", "root_subgroups", "roots", "weights", *families)}


@pytest.mark.parametrize(
    "text",
    [
        "from pack import two",
        "from pack.two import name",
        "from . import two",
        "from .two import name",
        "import pack.two",
        "def f():\n    from pack.two import name",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack.two import name",
    ],
)
def test_a_circle_of_any_kind_is_seen(tmp_path, text):
    for name, content in {"__init__": "from pack.one import x", "one": text, "two": "from .three import x"}.items():
        (tmp_path / f"{name}.py").write_text(content)
    (tmp_path / "three.py").write_text("import numpy")
    assert circle(import_graph(tmp_path, "pack")) == []
    (tmp_path / "three.py").write_text("import numpy, pack.one")
    assert set(circle(import_graph(tmp_path, "pack"))) == {"pack.one", "pack.two", "pack.three"}


def test_folders_inside_folders(tmp_path):
    (tmp_path / "inner").mkdir()
    files = {
        "__init__": "",
        "one": "from .inner import deep",
        "inner/__init__": "from ..one import x",
        "inner/deep": "",
    }
    for name, content in files.items():
        (tmp_path / f"{name}.py").write_text(content)
    graph = import_graph(tmp_path, "pack")
    assert graph == {
        "pack": set(),
        "pack.one": {"pack.inner.deep"},
        "pack.inner": {"pack.one"},
        "pack.inner.deep": set(),
    }
    (tmp_path / "inner" / "deep.py").write_text("from pack.inner import x")
    assert circle(import_graph(tmp_path, "pack"))
