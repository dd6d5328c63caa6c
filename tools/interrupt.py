"""Press the stop button in every tenth code cell of a page, then run it again from the top: `python tools/interrupt.py PAGE...`.

The kernel is one and the same. What a cell that was stopped left behind, such as half a table, an import that did not end,
or a file, must not harm the second run: a page fails if a cell of it raises, or prints something else than is committed.
Cells after a stopped one run too, and may raise. A cell that ends before it is stopped is run and stopped again, earlier.
Not on Windows, which has no such timer.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import Any

import nbformat
from committed import ignored, same_texts, texts
from nbformat import NotebookNode
from refresh import running

EVERY = 10  # code cells
TRIES = 5  # each five times as early as the one before
# The kernel sends itself what the button would, after so much processor time in the next cell's own code: ipykernel loses
# its answer, and a client waits for ever, if it comes just before or after. Everything hangs on one name.
BUTTON = """
class _button:
    import os, signal
    armed = 0.0

    def begin(info):
        seconds, _button.armed = _button.armed, 0.0
        _button.signal.setitimer(_button.signal.ITIMER_VIRTUAL, seconds)

    def end(result):
        _button.signal.setitimer(_button.signal.ITIMER_VIRTUAL, 0)

    def press(number, frame):
        while frame is not None and "ipykernel_" not in frame.f_code.co_filename:
            frame = frame.f_back
        if frame is not None and "_button" not in frame.f_code.co_qualname:
            _button.os.kill(_button.os.getpid(), _button.signal.SIGINT)
        else:
            _button.signal.setitimer(_button.signal.ITIMER_VIRTUAL, 0.001)

_button.signal.signal(_button.signal.SIGVTALRM, _button.press)
get_ipython().events.register("pre_run_cell", _button.begin)
get_ipython().events.register("post_run_cell", _button.end)
"""


def aside(client: Any, source: str) -> None:
    """Run what is not of the page, without a word."""
    client.nb.cells.append(cell := nbformat.v4.new_code_cell(source))
    client.execute_cell(cell, len(client.nb.cells) - 1)
    client.nb.cells.pop()
    if cell.outputs:
        raise ValueError(f"expected no outputs of {source!r}, got {texts(cell.outputs)}")


def stopped(client: Any, cell: NotebookNode, index: int, seconds: float) -> bool:
    """Run a cell and stop it after so many seconds of the processor; whether it had not ended by then."""
    for k in range(TRIES):
        aside(client, f"_button.armed = {seconds / 5**k}")
        client.execute_cell(cell, index)
        if any(output.get("ename") == "KeyboardInterrupt" for output in cell.outputs):
            return True
    return False


def again(path: Path, seed: int = 0, every: int = EVERY) -> tuple[int, int, list[str]]:
    """How many cells were to be stopped, how many were, and what went wrong when the page was run again from the top."""
    page, moments = nbformat.read(path, as_version=4), random.Random(seed)
    cells = [(index, cell) for index, cell in enumerate(page.cells) if cell.cell_type == "code"]
    committed, asked, hit, wrong = {index: list(cell.outputs) for index, cell in cells}, 0, 0, []
    with running(page, path.parent) as client:
        aside(client, BUTTON)
        for number, (index, cell) in enumerate(cells, start=1):
            if number % every == 0 or number == len(cells) < every:  # a short page is stopped in its last cell
                asked += 1
                hit += stopped(client, cell, index, moments.uniform(0.01, 1.0))
            else:
                client.execute_cell(cell, index)
        for index, cell in cells:
            client.execute_cell(cell, index)
            if any(output.output_type == "error" for output in cell.outputs):
                wrong.append(f"cell {index} raises: {texts(cell.outputs)[-1]}")
            elif not ignored(cell) and not same_texts(cell.outputs, committed[index]):
                wrong.append(f"cell {index} prints {texts(cell.outputs)} instead of {texts(committed[index])}")
    return asked, hit, wrong


def main() -> int:
    """The pages named on the command line; 1 if any of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="draws the moments (default: 0)")
    options = parser.parse_args()
    failed = False
    for path in options.pages:
        asked, hit, wrong = again(path, options.seed)
        print(f"{path.name}: stopped in {hit} of {asked} cells, then {len(wrong) or 'nothing'} wrong", flush=True)
        for line in wrong:
            print(f"  {line}", flush=True)
        failed |= bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
