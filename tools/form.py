"""The form that every notebook has, as rules: `python tools/form.py notebooks/*.ipynb` prints what a notebook breaks.

nbval is blind to cells that were never run, to skipped cells, to pictures and to pages with nothing to compare, so
those are rules too. `tests/test_notebooks.py` wants no problems in a committed notebook, and shows for each rule a
notebook that breaks it and no other.
"""

from __future__ import annotations

import base64
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from committed import PATH, PICTURE_BYTES, WIDGET, ignored
from nbformat import NotebookNode

CELLS, CODE_LINES, MEDIAN_LINES = (25, 45), 25, 8
WORDS_A_LINE = (6.0, 12.0)
CHECKED_OUTPUTS, IGNORED_CELLS, EXERCISES = 8, 2, (2, 4)

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
BINDER = "https://mybinder.org/v2/"
BOX = {
    "You will learn": r"you will learn",
    "You need": r"you need",
    "Reading: N minutes": r"reading\W+(about\s+)?\d+(\s*[-–]\s*\d+)?\s+min",
    "Running: N seconds": r"running\W+(about\s+)?\d+(\s*[-–]\s*\d+)?\s+(s|min)",
    "Memory: N MB": r"memory\W+(about\s+)?\d+\s*MB",
}
# Marks that switch nbval off for a cell, as tags or as comments.
BLINDFOLDS = ("nbval-skip", "raises-exception", "nbval-raises-exception", "NBVAL_SKIP", "NBVAL_RAISES_EXCEPTION")


def is_solution(summary: str) -> bool:
    """Whether a <details> block with this summary is a worked solution (and not a hint)."""
    return summary.strip().lower().startswith("solution")


def prose(source: str) -> int:
    """Words of prose in a markdown cell: no code, solutions, tables or display math; inline math is one word."""
    text = DETAILS.sub(lambda found: "" if is_solution(found[1]) else found[2], source)
    text = FENCE.sub("", text)
    text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL)
    text = re.sub(r"\$[^$\n]+\$", "math", text)
    text = re.sub(r"`[^`\n]+`", "code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<[^>]+>", "", text)
    return len(re.findall(r"[^\W_][\w'’.\-]*", text))


def code_lines(source: str) -> int:
    """Lines of a code cell that are not blank."""
    return sum(bool(line.strip()) for line in source.splitlines())


def reading_minutes(notebook: NotebookNode) -> int:
    """How long a page takes to read and work through, to five minutes; for the box at its top.

    A hundred words of prose a minute, ten lines of code a minute, five minutes an exercise.
    """
    markdown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    lines = sum(code_lines(cell.source) for cell in notebook.cells if cell.cell_type == "code")
    exercises = sum(len(re.findall(r"^#+ Exercise", source, re.MULTILINE)) for source in markdown)
    minutes = sum(map(prose, markdown)) / 100 + lines / 10 + 5 * exercises
    return 5 * round(minutes / 5)


def checked_outputs(cells: list[NotebookNode]) -> int:
    """Printed or returned texts that nbval compares; a picture's alt text and caption are none of them."""
    count = 0
    for cell in cells:
        for output in [] if ignored(cell) else cell.outputs:
            count += output.output_type == "stream" and bool(output.text.strip())
            count += "text/plain" in output.get("data", {}) and not {"image/png", "text/markdown"} & output.data.keys()
    return count


def problems(notebook: NotebookNode, name: str) -> list[str]:
    """Every way in which a notebook (file `name`) departs from the form; empty if it is right."""
    markdown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code or not markdown:
        return ["there must be prose and code"]
    found = [f"cell {number}: {what}" for number, cell in enumerate(notebook.cells) for what in cell_problems(cell)]
    found += page_problems(notebook, markdown, name)
    if not CELLS[0] <= len(notebook.cells) <= CELLS[1]:
        found.append(f"{len(notebook.cells)} cells, not {CELLS[0]} to {CELLS[1]}")
    lines = [code_lines(cell.source) for cell in code]
    if statistics.median(lines) > MEDIAN_LINES:
        found.append(f"the median code cell has {statistics.median(lines):g} lines, more than {MEDIAN_LINES}")
    ratio = sum(prose(source) for source in markdown) / sum(lines)
    if not WORDS_A_LINE[0] <= ratio <= WORDS_A_LINE[1]:
        found.append(f"{ratio:.1f} words of prose to a line of code, not {WORDS_A_LINE[0]:g} to {WORDS_A_LINE[1]:g}")
    if (count := checked_outputs(code)) < CHECKED_OUTPUTS:
        found.append(f"{count} checked outputs, fewer than {CHECKED_OUTPUTS}")
    if (count := sum(ignored(cell) for cell in code)) > IGNORED_CELLS:
        found.append(f"{count} cells whose output nbval ignores, more than {IGNORED_CELLS}")
    for number, cell in enumerate(code):
        if ignored(cell) and not checked_outputs(code[number + 1 : number + 2]):
            found.append(f"code cell {number}, which nbval ignores, is not followed by a checked comparison")
    if "torch.set_num_threads(1)" not in code[0].source:
        found.append("the first code cell does not call torch.set_num_threads(1)")
    if "widgets" in notebook.metadata:
        found.append("the metadata hold widget state")
    return found


def page_problems(notebook: NotebookNode, markdown: list[str], name: str) -> Iterator[str]:
    """What is wrong with headings, box, links and ending."""
    text = "\n\n".join(FENCE.sub("", source) for source in markdown)
    if (count := len(re.findall(r"^# ", text, re.MULTILINE))) != 1:
        yield f"{count} H1 headings, not 1"
    if not markdown[0].startswith("# ") or notebook.cells[0].cell_type != "markdown":
        yield "the first cell does not begin with the H1 heading"
    opening = "\n\n".join(markdown[:2])
    for entry, pattern in BOX.items():
        if not re.search(pattern, opening.replace("*", ""), re.IGNORECASE):
            yield f"the box at the top does not say {entry!r}"
    if BINDER not in opening or f"urlpath=lab/tree/notebooks/{name}" not in opening:
        yield f"no Binder link that opens notebooks/{name} at the top"
    if "predict before you run" not in text.lower():
        yield "no 'Predict before you run'"
    exercises = len(re.findall(r"^#+ Exercise", text, re.MULTILINE))
    if not EXERCISES[0] <= exercises <= EXERCISES[1]:
        yield f"{exercises} exercises (headings 'Exercise N'), not {EXERCISES[0]} to {EXERCISES[1]}"
    if not re.search(r"^#+ Summary", text, re.MULTILINE) or "where to read on" not in text.lower():
        yield "no 'Summary' heading or no 'Where to read on' at the end"
    last = notebook.cells[-1]
    if last.cell_type != "markdown" or not re.search(r"shut\W(.*\W)?down", last.source, re.IGNORECASE):
        yield "the last cell does not remind the reader to shut the kernel down"


def cell_problems(cell: NotebookNode) -> Iterator[str]:
    """What is wrong with one cell and its outputs."""
    if path := PATH.search(cell.source):
        yield f"an absolute path ({path[0]})"
    if cell.cell_type != "code":
        return
    if (count := code_lines(cell.source)) > CODE_LINES:
        yield f"{count} lines of code, more than {CODE_LINES}"
    if cell.execution_count is None:
        yield "was never run (no execution count)"
    for mark in BLINDFOLDS:
        if mark in cell.metadata.get("tags", []) or re.search(rf"^\s*#\s*{mark}\s*$", cell.source, re.MULTILINE):
            yield f"is hidden from nbval by {mark}"
    for output in cell.outputs:
        if output.output_type == "error":
            yield "shows a traceback"
        elif output.output_type == "stream":
            if output.name == "stderr":
                yield "writes to stderr"
            if path := PATH.search(output.text):
                yield f"prints an absolute path ({path[0]})"
        else:
            yield from display_problems(output)
    captions = {output.data.get("text/markdown") for output in cell.outputs if "data" in output}
    for output in cell.outputs:
        if (alt := output.get("metadata", {}).get("image/png", {}).get("alt")) and f"*{alt}*" not in captions:
            yield "has a picture without its caption, the alt text in italics"


def display_problems(output: NotebookNode) -> Iterator[str]:
    """What is wrong with a displayed result or picture."""
    if WIDGET in output.data:
        yield "holds a widget, which shows nothing without a kernel"
    if path := PATH.search(str(output.data.get("text/plain", ""))):
        yield f"shows an absolute path ({path[0]})"
    if "text/html" in output.data:
        yield "holds HTML, which JupyterLab cuts down in a page that was not run"
    if others := [kind for kind in output.data if kind.startswith("image/") and kind != "image/png"]:
        yield f"has a picture that is no PNG ({others[0]})"
    if "image/png" in output.data:
        if (size := len(base64.b64decode(output.data["image/png"]))) > PICTURE_BYTES:
            yield f"has a picture of {size // 1000} kB, more than {PICTURE_BYTES // 1000}"
        if not output.metadata.get("image/png", {}).get("alt"):
            yield "has a picture without alt text"


def main() -> int:
    """Print every problem of the notebooks named on the command line; 1 if there is one."""
    count = 0
    for path in map(Path, sys.argv[1:]):
        for problem in problems(nbformat.read(path, as_version=4), path.name):
            print(f"{path.name}: {problem}")
            count += 1
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
