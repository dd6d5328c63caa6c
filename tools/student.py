"""Copies of the notebooks without worked solutions and outputs: `python tools/student.py` (`make student`) writes `student/`.

A solution is a `<details>` block whose summary begins with "Solution"; hints, and answers to predictions, stay. A class runs
the cells itself, so their outputs are left out. `student/` lies beside `notebooks/`,
so that relative paths hold, and git ignores it.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import nbformat
from form import DETAILS, is_solution
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent


def without_solutions(source: str) -> str:
    """A markdown text without its solutions. ValueError where a <details> block is not closed or lacks its summary."""
    left = DETAILS.sub("", source)
    if re.search(r"</?details|</?summary", left):
        raise ValueError(f"a <details> block is not of the form <details><summary>..</summary>..</details>: {source!r}")
    text = DETAILS.sub(lambda found: "" if is_solution(found[1]) else found[0], source)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def student_copy(notebook: NotebookNode) -> NotebookNode:
    """The notebook without solutions and outputs, and without the cells that held nothing else."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell = NotebookNode(cell, source=without_solutions(cell.source))
        else:
            cell = NotebookNode(cell, outputs=[], execution_count=None)
        if cell.source.strip():
            cells.append(cell)
    return NotebookNode(notebook, cells=cells)


def main() -> None:
    """Write a copy of every notebook."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notebooks", type=Path, default=ROOT / "notebooks")
    parser.add_argument("--out", type=Path, default=ROOT / "student")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(options.notebooks.glob("*.ipynb")):
        copy = student_copy(nbformat.read(path, as_version=4))
        (options.out / path.name).write_text(nbformat.writes(copy) + "\n", encoding="utf-8", newline="\n")
        print(f"{options.out.name}/{path.name}")


if __name__ == "__main__":
    main()
