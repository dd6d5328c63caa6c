"""The soak of a page (tools/soak.py) passes one that behaves, and catches one that leaks and one that counts."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
import soak
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

GOOD = """import time
import torch
from eqlib import viz
torch.manual_seed(0)
print(torch.rand(2))
viz.slider(lambda a: viz.picture([[a, 1.0]], size=64), name='quick', start=0, stop=9, step=1, value=2,
           alt='two coloured squares')"""
# The leak is no cycle and no figure: bytes that are kept.
LEAKS = """kept, tone = [], 1.0
def plot(a):
    time.sleep(0.01)
    kept.append(b'x' * 10**6)
    return viz.picture([[a, tone]], size=64)
viz.slider(plot, name='slow', start=0, stop=1, step=0.1, value=0.3, alt='two coloured squares')"""
# nbval drops the number: it lies in its range.
COUNTS = "tone = 0.0  # which the slider above reads\nruns = globals().get('runs', 0) + 1\nprint(runs, 'in 0 ... 9')"
DRAWS = "viz.show(viz.picture([[0.0, float(runs > 2)]], size=64), alt='a white and another square')"


def page(folder: Path, *cells: str) -> Path:
    """A notebook of these cells behind one of prose."""
    path = folder / "page.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Page"), *map(new_code_cell, cells)]), path)
    return path


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "WARM", 10)


@pytest.mark.usefixtures("warm_kernels")
def test_a_page_that_behaves(tmp_path: Path) -> None:
    """A seed at the top makes every run alike; the page itself is not written."""
    path = page(tmp_path, GOOD, "print(torch.rand(1), 'in 0.1 s')")
    before = path.read_bytes()
    soaked = soak.soak(path, moves=150, again=3)
    assert soaked.problems == [] and soaked.slider == "quick" and 0 < soaked.seconds < 1 and soaked.grown < 5
    assert 20 < soaked.once <= soaked.peak and path.read_bytes() == before


@pytest.mark.usefixtures("warm_kernels")
def test_a_leak_and_what_a_run_leaves_behind_are_caught(tmp_path: Path) -> None:
    """Of two sliders the slower is moved, and it leaks; a counter says another number; the third run draws another picture."""
    soaked = soak.soak(page(tmp_path, GOOD, LEAKS, COUNTS, DRAWS), moves=40, again=3)
    assert soaked.slider == "slow" and 35 < soaked.grown < 60
    other, leak, *runs = soaked.problems
    assert other == "'slow' shows something else after the page than in its cell: ImageModel"
    assert leak.startswith("40 moves of 'slow' take")
    assert [run.split(":")[0] for run in runs] == ["run 2, cell 3", "run 3, cell 3", "run 3, cell 4"]
    assert "'stdout: 2 in 0 ... 9\\n'" in runs[0] and runs[2].endswith("picture 1 looks different")


@pytest.mark.usefixtures("warm_kernels")
def test_a_page_that_raises_the_second_time(tmp_path: Path) -> None:
    """And without a slider."""
    path = page(tmp_path, "assert 'seen' not in globals()", "seen = True")
    assert soak.soak(path, moves=10, again=1) == soak.Soaked(
        once=pytest.approx(200, rel=1), peak=pytest.approx(200, rel=1)
    )
    assert soak.soak(path, moves=0, again=3).problems == ["run 2, cell 1 raises AssertionError: "]


def test_a_slider_goes_up_and_down() -> None:
    """No two neighbours are alike, where it begins again neither."""
    import ipywidgets

    assert soak.places(ipywidgets.IntSlider(min=0, max=3)) == [0, 1, 2, 3, 2, 1]
    assert soak.places(ipywidgets.FloatSlider(min=-1, max=1, step=1)) == [-1, 0, 1, 0]
    assert soak.places(ipywidgets.SelectionSlider(options=["a", "b"])) == [0, 1]
