"""The examples in eqlib's docstrings run and print what they say, and what the course teaches has one.

An example runs as doctest runs it, with the names of its own file at hand, in an empty folder. `...` stands for any text, and
runs of blanks are one.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = [path for path in sorted((ROOT / "eqlib").rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
TAUGHT = ["eqlib.groups", "eqlib.nn", "eqlib.harmonics", "eqlib.kernels", "eqlib.data"]


def dotted(path: Path) -> str:
    """The name under which a file of eqlib is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def failures(module: ModuleType) -> list[str]:
    """The reports on the examples of this module that print something else than they say, or raise."""
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    for test in doctest.DocTestFinder().find(module):
        runner.run(test, out=said.append)
    return said


def public(module: ModuleType) -> dict[str, object]:
    """The functions, classes and modules that a module offers: those of `__all__`, or else those that it defines."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    found = {name: getattr(module, name) for name in names if not name.startswith("_")}
    return {name: value for name, value in found.items() if callable(value) or isinstance(value, ModuleType)}


def has_example(value: object) -> bool:
    """Whether a docstring of its own holds an example; of a class or a module, one of its methods' or functions' will do."""
    if isinstance(value, type) and issubclass(value, Exception):
        return True  # shown where it is raised
    members = list(public(value).values()) if isinstance(value, ModuleType) else []
    if isinstance(value, type):
        own = [getattr(member, "__func__", member) for member in vars(value).values()]  # of a class or static method
        members = [each for each in own if inspect.isroutine(each) or isinstance(each, property)]  # int.__doc__ has one
    return any(">>> " in (each.__doc__ or "") for each in [value, *members])


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_examples_print_what_they_say(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(dotted(path))
    monkeypatch.chdir(tmp_path)
    assert not (said := failures(module)), "\n".join(said)


@pytest.mark.parametrize("name", TAUGHT)
def test_every_public_name_has_an_example(name: str) -> None:
    lacking = [key for key, value in public(importlib.import_module(name)).items() if not has_example(value)]
    assert lacking == [], f"{name}: without an example (>>>) in the docstring: {', '.join(lacking)}"


def module_of(code: str) -> ModuleType:
    module = ModuleType("made")
    exec(compile(code, "made", "exec"), vars(module))
    return module


GOOD = '''
from functools import cache

@cache
def twice(x):
    """Two of them.

    >>> from math import floor
    >>> 2 * floor(1.5)
    2
    """

class Pair:
    """Two."""

    size = 2

    @classmethod
    def of(cls, x):
        """
        >>> [1, 1]
        [1, ...]
        """

class Gone(ValueError):
    """It is not there."""

def _inner():
    pass
'''


def test_a_wrong_example_is_found_and_so_is_a_missing_one() -> None:
    """A wrong result, a name that is not there, and a docstring without one."""
    module = module_of(GOOD)
    assert sorted(public(module)) == ["Gone", "Pair", "twice"]
    assert failures(module) == [] and all(map(has_example, public(module).values()))
    assert "Expected:\n    3" in failures(module_of(GOOD.replace("    2\n", "    3\n")))[0]
    assert "NameError" in failures(module_of(GOOD.replace(">>> from math import floor", "")))[0]
    bare = public(module_of(GOOD.replace(">>> ", "")))
    assert [name for name, value in bare.items() if not has_example(value)] == ["twice", "Pair"]
