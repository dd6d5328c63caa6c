"""Pages whose kernel is stopped in the middle: tools/interrupt.py tells one that bears it from one that does not."""

from __future__ import annotations

import sys
from pathlib import Path

import interrupt
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no timer of a process"),
    pytest.mark.usefixtures("warm_kernels"),
]
LONG = "for k in range(3 * 10**7): pass"  # a second and more


def test_a_page_that_bears_it_and_one_that_does_not(tmp_path: Path) -> None:
    """A cell that leaves a file where it was stopped raises when it is run again; a printed number that differs is found."""
    page = new_notebook(cells=[new_code_cell("n = 0"), new_code_cell(f"{LONG}\nn += 1\nn")])
    page.cells[1].outputs = [new_output("execute_result", {"text/plain": "1"}, execution_count=2)]
    nbformat.write(page, tmp_path / "good.ipynb")
    assert interrupt.again(tmp_path / "good.ipynb") == (1, 1, [])
    page.cells[0].source = "n = globals().get('n', 0)"
    page.cells[1].source = f"n += 1\nopen('half', 'x').close()\n{LONG}\nn"
    nbformat.write(page, tmp_path / "bad.ipynb")
    asked, hit, wrong = interrupt.again(tmp_path / "bad.ipynb")
    assert (asked, hit, len(wrong)) == (1, 1, 1) and "FileExistsError" in wrong[0]
