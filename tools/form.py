"""The form that every notebook has, as rules: `python tools/form.py notebooks/*.ipynb` prints what a notebook breaks.

A page shows numbers beside their limits (`eqlib.testing.within`) and few verdicts; what the reader is to predict is folded
(`viz.folded`), and so is its explanation; an exercise ends the section that it belongs to. nbval is blind to cells that were
never run, to skipped cells, to pictures and to pages with nothing to compare, so those are rules too.
`tests/test_notebooks.py` wants no problems in a committed notebook, and shows for each rule a notebook that breaks it and
no other.
"""

from __future__ import annotations

import ast
import base64
import re
import statistics
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from committed import PATH, PICTURE_BYTES, TURNTABLE, WIDGET, ignored
from nbformat import NotebookNode

CELLS, CODE_LINES, MEDIAN_LINES = (25, 45), 25, 8
WIDTH = 96  # of a line of code: JupyterLab shows some 97 characters in a window of 1,200 pixels
WORDS_A_LINE = (6.0, 12.0)
WORDS_A_CELL, CODE_CELLS_IN_A_ROW = 250, 3  # words that are in sight; what is folded does not count
CHECKED_OUTPUTS, IGNORED_CELLS, EXERCISES, PREDICTIONS = 8, 2, (2, 4), (1, 2)
NUMBERS, VERDICTS = 8, 0.2  # how many numbers stand beside a limit; which share of the printed lines may be verdicts
ROUNDING = 1e-9  # an error that is rounding has a limit at most this large: one that grows to 1e-6 is seen

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
NUMBER = r"-?(?:\d+(?:\.\d+)?(?:e[-+]\d+)?|inf|nan)"
LIMIT = re.compile(rf"(?<![\w.])({NUMBER})(?: [^\s\d<>]+)? (?:([<>]) ({NUMBER})|in {NUMBER} \.\.\. {NUMBER})")
VERDICT = re.compile(r"\b(?:True|False)\b")
PREDICT, ANSWER = "predict before you run", re.compile(r"\s*<details>\s*<summary>Answer\b")
BINDER = "https://mybinder.org/v2/"
BOX = {
    "You will learn": r"^> \* you will learn",
    "You need": r"^> \* you need",
    "Reading: N minutes": r"^> \* reading\W+(about\s+)?\d+(\s*[-–]\s*\d+)?\s+min",
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
            plain = output.get("data", {}).get("text/plain", "")
            markdown = output.get("data", {}).get("text/markdown", "")
            drawn = "image/png" in output.get("data", {}) or "text/html" in output.get("data", {})
            count += bool(plain) and not drawn and f"*{plain}*" != markdown.split("\n")[0]
    return count


def printed_lines(cell: NotebookNode) -> list[str]:
    """What a code cell prints, folded or not, without empty lines and without an exercise's "not yet"."""
    found = [output.text for output in cell.outputs if output.output_type == "stream"]
    found += [output.data["text/plain"] for output in cell.outputs if is_fold(output)]
    return [line for text in found for line in text.splitlines() if line.strip() and line != "not yet"]


def is_fold(output: NotebookNode) -> bool:
    """Whether an output comes from `viz.folded`."""
    return str(output.get("data", {}).get("text/markdown", "")).startswith("<details>")


def in_sight(source: str) -> str:
    """A markdown text without what is folded."""
    return DETAILS.sub("", source)


def problems(notebook: NotebookNode, name: str) -> list[str]:
    """Every way in which a notebook (file `name`) departs from the form; empty if it is right."""
    markdown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code or not markdown:
        return ["there must be prose and code"]
    found = [f"cell {number}: {what}" for number, cell in enumerate(notebook.cells) for what in cell_problems(cell)]
    found += page_problems(notebook, markdown, name)
    found += number_problems(code)
    found += prediction_problems(notebook.cells)
    found += exercise_problems(notebook.cells)
    found += rhythm_problems(notebook)
    found += slider_problems(notebook.cells)
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
        if not re.search(pattern, re.sub(r"(?<! )\*|\*(?! )", "", opening), re.IGNORECASE | re.MULTILINE):
            yield f"the box at the top does not say {entry!r}"
    if BINDER not in opening or f"urlpath=lab/tree/notebooks/{name}" not in opening:
        yield f"no Binder link that opens notebooks/{name} at the top"
    if not re.search(r"^#+ Summary", text, re.MULTILINE) or "where to read on" not in text.lower():
        yield "no 'Summary' heading or no 'Where to read on' at the end"
    last = notebook.cells[-1]
    if last.cell_type != "markdown" or not re.search(r"shut\W(.*\W)?down", last.source, re.IGNORECASE):
        yield "the last cell does not remind the reader to shut the kernel down"


def number_problems(code: list[NotebookNode]) -> Iterator[str]:
    """Too few numbers beside a limit, too many verdicts, a limit that an error of rounding could outgrow unseen."""
    lines = [line for cell in code for line in printed_lines(cell)]
    limits = [found for line in lines for found in LIMIT.finditer(line)]
    if len(limits) < NUMBERS:
        yield f"{len(limits)} numbers beside a limit, fewer than {NUMBERS}"
    verdicts = sum(bool(VERDICT.search(line)) for line in lines)
    if verdicts >= VERDICTS * len(lines) > 0:
        yield f"{verdicts} of {len(lines)} printed lines are verdicts, not below a fifth"
    for found in limits:
        number, sign, limit = found.groups()
        if sign == "<" and abs(float(number)) < ROUNDING < float(limit):
            yield f"the limit of {found[0]!r} lets an error of rounding grow unseen"
    if not any(found[2] == ">" for found in limits):
        yield "nothing is made to fail: no number stands above its limit"
    for line in lines:
        if " outside " in line and " ... " in line:
            yield f"a figure is outside its range: {line!r}"


def prediction_problems(cells: list[NotebookNode]) -> Iterator[str]:
    """A prediction ends its cell; what is printed then, and why, is folded until the reader opens it."""
    places = [n for n, cell in enumerate(cells) if cell.cell_type == "markdown" and PREDICT in cell.source.lower()]
    if not PREDICTIONS[0] <= len(places) <= PREDICTIONS[1]:
        yield f"{len(places)} times 'Predict before you run', not {PREDICTIONS[0]} to {PREDICTIONS[1]}"
    for place in places:
        code, answer = (cells[place + 1 : place + 3] + [NotebookNode(cell_type="none", source="")] * 2)[:2]
        if PREDICT not in cells[place].source.rstrip().split("\n\n")[-1].lower():
            yield f"cell {place}: the prediction does not end its cell"
        if code.cell_type != "code" or not any(map(is_fold, code.outputs)) or len(code.outputs) > 1:
            yield f"cell {place + 1}: what the reader is to predict is not all folded (viz.folded)"
        if not ANSWER.match(answer.source):
            yield f"cell {place + 2}: the explanation of a prediction is not folded under 'Answer'"
        elif not re.match(r"#|---$|$", (behind := in_sight(answer.source).strip().partition("\n")[0])):
            yield f"cell {place + 2}: {behind!r} looks like the opened answer: a line --- or a heading parts them"


def exercise_problems(cells: list[NotebookNode]) -> Iterator[str]:
    """Exercises count from 1, end a section each, have a stub below them, and a hint and a solution that are folded."""
    seen = []
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            seen += [
                (place, found) for found in re.findall(r"^##+ Exercise\b.*$", FENCE.sub("", cell.source), re.MULTILINE)
            ]
    if not EXERCISES[0] <= len(seen) <= EXERCISES[1]:
        yield f"{len(seen)} exercises (headings 'Exercise N'), not {EXERCISES[0]} to {EXERCISES[1]}"
    for number, (place, heading) in enumerate(seen, 1):
        if not re.match(rf"### Exercise {number}: \w", heading):
            yield f"cell {place}: the heading {heading!r} is not '### Exercise {number}: ...'"
        text = "\n".join(cell.source for cell in cells[place : place + 3] if cell.cell_type == "markdown")
        summaries = [summary for summary, _ in DETAILS.findall(text[text.index(heading) :])]
        behind = in_sight("".join(cell.source for cell in cells[place + 2 : place + 3])).strip()
        if behind and not behind.startswith(("# ", "## ")):
            yield f"cell {place + 2}: the section goes on behind its exercise"
        if "not yet" not in "".join(
            o.get("text", "") for c in cells[place + 1 : place + 2] for o in c.get("outputs", [])
        ):
            yield f"cell {place + 1}: the exercise's stub does not stand here and print 'not yet'"
        if not any(map(is_solution, summaries)) or not any(s.strip().startswith("Hint") for s in summaries):
            yield f"cell {place}: the exercise has no folded hint or no folded solution"


def rhythm_problems(notebook: NotebookNode) -> Iterator[str]:
    """Too much prose, or too much code, without the other; no picture."""
    run = 0
    for place, cell in enumerate(notebook.cells):
        run = run + 1 if cell.cell_type == "code" else 0
        if run == CODE_CELLS_IN_A_ROW + 1:
            yield f"cell {place}: more than {CODE_CELLS_IN_A_ROW} code cells in a row"
        if cell.cell_type == "markdown" and (count := prose(in_sight(cell.source))) > WORDS_A_CELL:
            yield f"cell {place}: {count} words in sight, more than {WORDS_A_CELL}"
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    if not any(kind.startswith("image/") for output in outputs for kind in output.get("data", {})):
        yield "no picture"


def slider_problems(cells: list[NotebookNode]) -> Iterator[str]:
    """Names that a slider's functions read and a later cell binds again: from then on it shows something else."""
    reads: dict[str, set[str]] = {}  # of each function of the page, the page's names that it reads
    kept: dict[str, int] = {}  # names that sliders read so far, and the first cell that does
    for place, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        source = re.sub(r"^[%!].*$", "", cell.source, flags=re.MULTILINE)
        table = symtable.symtable(source, "cell", "exec")
        bound = {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}
        for name in sorted(bound & kept.keys()):
            yield f"cell {place}: binds {name!r} again, which the slider of cell {kept[name]} reads"
        reads.update({one.get_name(): page_names(one) for one in table.get_children()})
        found, more = set[str](), set[str]()
        for call in ast.walk(ast.parse(source)):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "viz.slider":
                for given in (*call.args, *(one.value for one in call.keywords)):
                    if isinstance(given, ast.Name):
                        more |= reads.get(given.id, set())
                    elif isinstance(given, ast.Lambda):
                        more |= page_names(symtable.symtable(ast.unparse(given), "given", "eval"))
        while more := more - found:
            found |= more
            more = set[str]().union(*(reads.get(name, ()) for name in more))
        kept |= dict.fromkeys(found - kept.keys(), place)


def page_names(table: symtable.SymbolTable) -> set[str]:
    """The page's own names that a function reads, functions inside it too."""
    names = {one.get_name() for one in table.get_symbols() if one.is_referenced() and one.is_global()}
    return names.union(*map(page_names, table.get_children()))


def cell_problems(cell: NotebookNode) -> Iterator[str]:
    """What is wrong with one cell and its outputs."""
    if path := PATH.search(cell.source):
        yield f"an absolute path ({path[0]})"
    if cell.cell_type != "code":
        return
    if (count := code_lines(cell.source)) > CODE_LINES:
        yield f"{count} lines of code, more than {CODE_LINES}"
    if (count := max(map(len, cell.source.splitlines()), default=0)) > WIDTH:
        yield f"a line of {count} characters, more than {WIDTH}"
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
    captions = {output.data.get("text/markdown", "").split("\n")[0] for output in cell.outputs if "data" in output}
    for output in cell.outputs:
        if (alt := output.get("metadata", {}).get("image/png", {}).get("alt")) and f"*{alt}*" not in captions:
            yield "has a picture without its caption, the alt text in italics"
    kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
    if "text/html" in kinds and "image/png" not in kinds:
        yield "has a picture that turns without one that stands still"


def display_problems(output: NotebookNode) -> Iterator[str]:
    """What is wrong with a displayed result or picture."""
    if WIDGET in output.data:
        yield "holds a widget, which shows nothing without a kernel"
    if path := PATH.search(str(output.data.get("text/plain", ""))):
        yield f"shows an absolute path ({path[0]})"
    if "text/html" in output.data:
        if not TURNTABLE.fullmatch(output.data["text/html"]):
            yield "holds HTML, which JupyterLab cuts down in a page that was not run"
        elif (size := len(output.data["text/html"])) > PICTURE_BYTES:
            yield f"has a picture that turns of {size // 1000} kB, more than {PICTURE_BYTES // 1000}"
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
