"""Use pages for long: `python tools/soak.py notebooks/*.ipynb`; fails where memory grows or a page says something else.

Each page runs in one kernel as `refresh.py` runs it. Then every slider, moved away and back, must show what it showed when
its cell ran: a later cell may have bound a name again that it reads. And then

    --moves 2000    its slowest slider moves this often up and down its range, as a browser moves it: memory may grow by 20 MB
    --again 5       all its cells run until they ran this often, without a restart: pictures must be those of the first time
                    by eye; texts exactly but for seconds and what is below a limit, so also the number in a range that
                    nbval drops, since this is one machine; cells that nbval ignores are not compared

What is printed are rows of the table in docs/soak.md. Zero moves, or once, leaves that part out. The moves come before
the page runs again, so that what a slider leaves behind is noticed too.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import gc
import itertools
import json
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil  # type: ignore[import-untyped]
from committed import clean_output, coalesced, compare, ignored, look_alike, texts
from nbformat import NotebookNode
from refresh import peak_megabytes, running

GROWTH = 20  # MB
WARM = 100  # moves before memory is first measured: caches and allocators fill
TRIED = 5  # moves of each slider, twice, to find the slowest
AT_ONCE = 100  # moves of one request: between two the client takes the pictures that were sent
# Seconds, and roundings below their limit: in one kernel they differ too, as memory lies otherwise (9e-15 and 9.1e-15).
UNSTEADY = re.compile(r"(?<![\w.])-?\d+(\.\d+)?(e[-+]\d+)?(?= m?s\b|( [^\s\d<>]+)? < \d)")


@dataclass
class Soaked:
    """What long use of one page showed."""

    slider: str = ""  # the slowest; none has no name
    seconds: float = 0.0  # a move
    grown: float = 0.0  # MB, over the moves
    once: float = 0.0  # MB, the most that one run has held
    peak: float = 0.0  # MB, the most in all
    problems: list[str] = field(default_factory=list)


# --- in the kernel, which imports this file


def sliders() -> list[Any]:
    """Every slider that is alive, in the order in which the page made them."""
    import ipywidgets
    from ipywidgets.widgets import widget

    kinds = (ipywidgets.FloatSlider, ipywidgets.IntSlider, ipywidgets.SelectionSlider)
    return [one for one in widget._instances.values() if isinstance(one, kinds)]


def names() -> list[str]:
    """What the page calls them."""
    return [str(one.description) for one in sliders()]


def places(slider: Any) -> list[Any]:
    """Where it can stand, up and down again, so that no move is to where it is."""
    if hasattr(slider, "options"):
        up = list(range(len(slider.options)))
    else:
        up = [slider.min + n * slider.step for n in range(round((slider.max - slider.min) / slider.step) + 1)]
    return up + up[-2:0:-1]


def move(number: int, first: int, moves: int) -> float:
    """Seconds a move of this slider, from the place `first` on; `set_state` is what a browser's message calls."""
    slider = sliders()[number]
    trait = "index" if hasattr(slider, "options") else "value"
    began = time.perf_counter()
    for place in itertools.islice(itertools.cycle(places(slider)), first, first + moves):
        slider.set_state({trait: place})
    return (time.perf_counter() - began) / moves


def turned_back(number: int) -> list[str]:
    """The kinds of widgets that look otherwise when this slider has been moved away and back to where it stands."""
    from ipywidgets.widgets import widget

    slider = sliders()[number]
    trait = "index" if hasattr(slider, "options") else "value"
    here, before = getattr(slider, trait), {name: one.get_state() for name, one in widget._instances.items()}
    slider.set_state({trait: next(place for place in places(slider) if place != here)})
    slider.set_state({trait: here})
    now = {name: one.get_state() for name, one in widget._instances.items()}
    return [str(before[name]["_model_name"]) for name in before if not alike(before[name], now[name])]


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two states of a widget are the same, a PNG by eye."""
    if isinstance(one.get("value"), bytes | memoryview):
        pngs = (base64.b64encode(state.pop("value")).decode("ascii") for state in (one, other))
        return look_alike(*pngs) and one == other
    return one == other


def held() -> float:
    """MB that this process holds, when it has given back what it can."""
    gc.collect()
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)(0)  # glibc has it, musl does not
    return float(psutil.Process().memory_info().rss) / 2**20


# --- in the client


def ask(nb: Any, call: str) -> Any:
    """The value of a call of one of the functions above, in the kernel; the last cell of the notebook is kept for it."""
    cell = nbformat.v4.new_code_cell(
        f"import sys as _sys\n_sys.path.append({str(Path(__file__).resolve().parent)!r})\n"
        f"import json as _json, soak as _soak\n_sys.path.pop()\nprint(_json.dumps(_soak.{call}))"
    )
    nb.execute_cell(cell, len(nb.nb.cells) - 1)
    said = "".join(texts(cell.outputs))
    if not said.startswith("stdout: "):
        raise RuntimeError(f"{call} in the kernel: {said}")
    return json.loads(said.removeprefix("stdout: "))


def run_page(nb: Any) -> list[list[NotebookNode]]:
    """Run every cell; the outputs of each, as they would be committed. RuntimeError at the first that raises."""
    outputs = []
    for index, cell in enumerate(nb.nb.cells[:-1]):
        if cell.cell_type == "code":
            nb.execute_cell(cell, index)
            if any(output.output_type == "error" for output in cell.outputs):
                raise RuntimeError(f"cell {index} raises {texts(cell.outputs)[-1]}")
        cleaned = (clean_output(output, ignored(cell)) for output in coalesced(cell.get("outputs", [])))
        outputs.append([output for output in cleaned if output is not None])
    return outputs


def unlike(cell: NotebookNode, first: list[NotebookNode], number: int) -> list[str]:
    """How a cell's outputs differ from those of the first run."""
    if cell.cell_type != "code" or ignored(cell):
        return []
    for one, other in zip(texts(first), texts(cell.outputs), strict=False):
        if UNSTEADY.sub("#", one) != UNSTEADY.sub("#", other):
            return [f"cell {number}: text {other!r} instead of {one!r}"]
    return compare(cell, first, number)


def move_slowest(nb: Any, moves: int, soaked: Soaked) -> None:
    """Find the slowest slider, move it, and note what that took; every slider must still show what its cell showed."""
    names, trials = ask(nb, "names()"), []
    for number, name in enumerate(names):
        if kinds := ask(nb, f"turned_back({number})"):
            soaked.problems.append(f"{name!r} shows something else after the page than in its cell: {', '.join(kinds)}")
        ask(nb, f"move({number}, 1, {TRIED})")  # what is made once
        trials.append(ask(nb, f"move({number}, {1 + TRIED}, {TRIED})"))
    if not names:
        return
    slowest = trials.index(max(trials))
    ask(nb, f"move({slowest}, {1 + 2 * TRIED}, {WARM})")
    before, seconds = ask(nb, "held()"), 0.0
    for first in range(0, moves, AT_ONCE):
        at_once = min(AT_ONCE, moves - first)
        seconds += at_once * ask(nb, f"move({slowest}, {1 + 2 * TRIED + WARM + first}, {at_once})")
    soaked.slider, soaked.seconds, soaked.grown = names[slowest], seconds / moves, ask(nb, "held()") - before
    if soaked.grown >= GROWTH:
        soaked.problems.append(f"{moves} moves of {soaked.slider!r} take {soaked.grown:.0f} MB, limit {GROWTH}")


def soak(path: Path, moves: int, again: int) -> Soaked:
    """Run one page, move its slowest slider, and run it again, in one kernel. RuntimeError where a cell raises at first."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(""))
    soaked = Soaked()
    with running(notebook, path.parent) as nb:
        first = run_page(nb)
        soaked.once = peak_megabytes(nb.km.provisioner.pid)
        if moves:
            move_slowest(nb, moves, soaked)
        for count in range(2, again + 1):
            try:
                run_page(nb)
            except RuntimeError as reason:
                soaked.problems.append(f"run {count}, {reason}")
                break
            for number, cell in enumerate(notebook.cells[:-1]):
                soaked.problems += [f"run {count}, {what}" for what in unlike(cell, first[number], number)]
        soaked.peak = peak_megabytes(nb.km.provisioner.pid)
    return soaked


def main() -> int:
    """Soak the pages named on the command line; 1 if one of them grew or changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--moves", type=int, default=2000, help="of the slowest slider; 0 to move none")
    parser.add_argument("--again", type=int, default=5, help="how often the page runs in all; 1 to run it once")
    options = parser.parse_args()
    failed = False
    print(
        f"| page | slowest slider | ms a move | MB grown in {options.moves} moves | {options.again} runs |"
        " most MB: one run, all |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for path in options.notebooks:
        try:
            soaked = soak(path, options.moves, options.again)
        except RuntimeError as reason:
            print(f"{path.name}: {reason}")
            failed = True
            continue
        others = sum(what.startswith("run ") for what in soaked.problems)
        numbers = [f"{1000 * soaked.seconds:.0f}", f"{soaked.grown:.1f}"] if soaked.slider else ["", ""]
        row = [path.stem, soaked.slider or "none", *numbers, f"{others} unlike" if others else "alike"]
        row.append(f"{soaked.once:.0f}, {soaked.peak:.0f}")
        print("|", " | ".join(row), "|", flush=True)
        print(*(f"  {what}" for what in soaked.problems), sep="\n", end="\n" if soaked.problems else "")
        failed |= bool(soaked.problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
