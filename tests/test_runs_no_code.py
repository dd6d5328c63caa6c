"""Importing eqlib, or reading a file with it, runs nothing that the file says: no line of the package could."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "eqlib"
NAMES = {"eval", "exec", "compile", "__import__"}  # of Python itself; model.eval and re.compile are attributes
MODULES = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
# Functions that unpickle, or run a text, and have no way not to.
CALLS = {"read_pickle", "unsafe_load", "full_load", "load_source"}


def faults(text: str) -> list[str]:
    """The lines of a program that could run what a file says: ["7: eval", ...]."""
    tree = ast.parse(text)
    aliases = {"torch"} | {
        name.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
        if name.name == "torch" and name.asname
    }
    found = []
    for node in ast.walk(tree):
        what = ""
        if isinstance(node, ast.Name) and node.id in NAMES:
            what = node.id
        elif isinstance(node, ast.Import):
            what = " ".join(name.name for name in node.names if name.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")[0]
            if module in MODULES or (module == "torch" and "load" in {name.name for name in node.names}):
                what = f"from {node.module}"
        elif isinstance(node, ast.Attribute) and node.attr in CALLS:
            what = node.attr
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and not is_constant(node.value, False):
            what = "allow_pickle"
        elif isinstance(node, ast.Call) and is_load(node.func, aliases):
            said = {key.arg: key.value for key in node.keywords}
            what = "" if is_constant(said.get("weights_only"), True) else "torch.load"
        if what:
            found.append(f"{node.lineno}: {what}")  # type: ignore[attr-defined]
    return found


def is_constant(node: ast.AST | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def is_load(node: ast.AST, aliases: set[str]) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "load"
        and isinstance(node.value, ast.Name)
        and node.value.id in aliases
    )


def test_no_line_of_the_package_could_run_what_a_file_says():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 50
    found = {str(path.relative_to(PACKAGE)): faults(path.read_text(encoding="utf-8")) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trust)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=not strict)",
        "import torch as t; t.load(path)",
        "from torch import load",
        "import pickle",
        "import numpy, pickle as p",
        "from pickle import loads",
        "eval(text)",
        "do = exec",
        "exec(compile(text, path, 'exec'))",
        "pandas.read_pickle(path)",
        "yaml.unsafe_load(text)",
    ],
)
def test_a_line_that_could_is_found(line):
    assert faults(f"x = 1\n{line}\n")[0].startswith("2: ")


@pytest.mark.parametrize(
    "line",
    [
        "np.load(path, allow_pickle=False)",
        "np.load(path)",
        "torch.load(path, map_location='cpu', weights_only=True)",
        "model.eval()",
        "re.compile('x')",
        "torch.compile(model)",
        "import pickletools",
        "ast.literal_eval(text)",
        "json.load(file)",
    ],
)
def test_a_line_that_could_not_is_left_alone(line):
    assert faults(line) == []
