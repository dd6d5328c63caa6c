"""Every exercise's worked solution is right, and its check refuses wrong answers.

A notebook NN calls the checks of `eqlib/exercises/nbNN.py`, each once on a stub and once at the end of its solution.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import re
from pathlib import Path
from typing import Any

import form
import nbformat
import numpy as np
import pytest
import torch

from eqlib.exercises.check import Check, Wrong, attempt, check, numbers, require, whole

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def checks_of(path: Path) -> dict[str, Check]:
    """The checks of a notebook's module, by name."""
    module = importlib.import_module(f"eqlib.exercises.nb{path.name[:2]}")
    return {name: value for name, value in vars(module).items() if isinstance(value, Check)}


def solutions_of(path: Path) -> list[str]:
    """The code of the notebook's worked solutions, one text for each."""
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            blocks = [text for summary, text in form.DETAILS.findall(cell.source) if form.is_solution(summary)]
            found += ["\n".join(PYTHON.findall(text)) for text in blocks]
    return found


def calls(code: str, number: str) -> list[str]:
    """The names of the checks nbNN.name(...) that a code calls."""
    return re.findall(rf"\bnb{number}\.(\w+)\(", code)


def definitions(path: Path) -> dict[str, Any]:
    """A namespace with the notebook's imports, functions and classes, and none of its variables."""
    space: dict[str, Any] = {"__name__": "solution"}
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith("%")]
            body: list[ast.stmt] = [node for node in ast.parse("\n".join(lines)).body if isinstance(node, kinds)]
            exec(compile(ast.Module(body, type_ignores=[]), path.name, "exec"), space)
    return space


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_check_has_one_stub_and_one_solution(path: Path) -> None:
    """As committed, the stubs print "not yet", one for each check; each check ends exactly one solution."""
    number, wanted = path.name[:2], sorted(checks_of(path))
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    stubs = {name: cell for cell in cells for name in calls(cell.source, number)}
    assert sorted(name for cell in cells for name in calls(cell.source, number)) == wanted
    for name, cell in stubs.items():
        printed = "".join(output.get("text", "") for output in cell.outputs)
        assert printed.splitlines()[-1] == "not yet", name
    assert sorted(name for code in solutions_of(path) for name in calls(code, number)) == wanted
    assert len(solutions_of(path)) == len(wanted)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_solutions_are_right(path: Path) -> None:
    """The code under "Solution", run as it stands, prints "right"."""
    for code in solutions_of(path):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, path.name, "exec"), definitions(path))
        assert printed.getvalue().splitlines()[-1] == "right", code


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_wrong_answers_are_refused(path: Path) -> None:
    """Each check refuses wrong answers with a reason, and takes a stub for a stub."""
    for name, each in checks_of(path).items():
        for answer in [*each.wrong, *(answer for answer, _ in each.likely)]:
            verdict = each.verdict(answer)
            assert verdict not in ("right", "not yet"), (name, answer)
            assert not verdict.startswith("the check could not"), (name, verdict)
        assert each.verdict(...) == each.verdict(None) == "not yet"
        assert "\n" not in each.verdict("a word")
        assert each.verdict("a word") not in ("right", "not yet")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_likeliest_mistakes_are_named(path: Path) -> None:
    """Each check knows two likely mistakes, and tells each by words that no other mistake gets."""
    for name, each in checks_of(path).items():
        assert len(each.likely) >= 2, f"{name} names {len(each.likely)} likely mistakes"
        verdicts = [each.verdict(answer) for answer, _ in each.likely]
        for place, (_, words) in enumerate(each.likely):
            found = [words in verdict for verdict in verdicts]
            assert found == [place == other for other in range(len(verdicts))], (name, words, verdicts)


# The mechanism ------------------------------------------------------------------------------------------------------


@check(likely=[(1, "1 is not"), (3, "3 is not")])
def two(answer: int) -> None:
    """A value."""
    require(answer + 0 == 2, f"{answer} is not 1 + 1")


@check(wrong=[lambda x: x])
def double(answer: Any) -> None:
    """A function."""
    require(attempt(answer, 3) == 6, "3 should become 6")


def test_a_check_says_not_yet_right_or_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    for answer in (..., None, 2, 3, "x"):
        two(answer)
    assert capsys.readouterr().out.splitlines()[:4] == ["not yet", "not yet", "right", "3 is not 1 + 1"]
    assert two.verdict("x").startswith("the check could not use this answer: TypeError")
    assert double.verdict(lambda x: ...) == double.verdict(lambda x: None) == "not yet"
    assert double.verdict(lambda x: 2 * x) == "right"
    assert double.verdict(lambda x: print(2 * x)).startswith("your function returns nothing")

    def stub(x: int) -> Any: ...

    def documented(x: int) -> Any:
        """To be done."""

    assert double.verdict(stub) == double.verdict(documented) == "not yet"
    assert capsys.readouterr().out == ""
    assert double.verdict(lambda x: x) == "3 should become 6"
    assert double.verdict(lambda x: x / 0) == "your function raises ZeroDivisionError: division by zero"
    assert double.verdict(6) == "a function is wanted, this is a int"


@pytest.mark.parametrize("form", [int, float, str, np.int64, np.float32, np.array, torch.tensor, lambda n: [n], bool])
def test_a_whole_number_comes_in_many_forms(form: Any) -> None:
    """14 in any kind of number; no text, list or bool, nor anything that is not whole."""

    @check()
    def fourteen(answer: Any) -> None:
        require(whole(answer) == 14, "it is not 14")

    given = form(14)
    refused = isinstance(given, str | list | bool)
    assert (
        fourteen.verdict(given).startswith("wanted: a whole number; this ")
        if refused
        else fourteen.verdict(given) == "right"
    )
    for other in (14.5, np.nan, np.inf, 14j, None, "x"):
        assert fourteen.verdict(other) != "right"
    assert fourteen.verdict(-14) == "it is not 14"


def test_numbers_come_as_lists_arrays_and_tensors() -> None:
    for given in ([1, 2], (1.0, 2.0), np.array([1, 2]), torch.tensor([1.0, 2.0], requires_grad=True)):
        assert numbers(given, (2,)).tolist() == [1.0, 2.0]
    for given in ([1, "2"], [1, [2, 3]], {1, 2}, [1j, 2], [1, np.nan], [1, 2, 3], 1, None):
        with pytest.raises(Wrong, match="wanted: two numbers; this "):
            numbers(given, (2,), "two numbers")
