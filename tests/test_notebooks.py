"""Notebooks have the form of the course, and notice when the library is broken.

nbval runs them (`pytest --nbval --nbval-current-env notebooks`, with pictures and budget in `conftest.py`); here stands
what nbval does not see. Add a notebook's line to `BREAKS` when you add the notebook.
"""

from __future__ import annotations

import base64
import copy
import functools
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import form
import nbformat
import numpy as np
import pytest
import refresh
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from eqlib import viz
from eqlib.viz.turning import turntable_html

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# Code that breaks the library before a notebook's first cell; the notebook must then raise or print something else.
# Break what the notebook teaches (a Clebsch-Gordan sign, a dropped path, a wrong phase), as early in it as can be.
BREAKS: dict[str, str] = {
    # SO(2) turns clockwise.
    "00_start_here.ipynb": """
from eqlib.groups import SO2
right = SO2.matrices
SO2.matrices = lambda self, label: (-right(self, label)[0], right(self, label)[1])
""",
    # Images that shift seven pixels further to the right than they are told.
    "01_symmetry_in_networks.ipynb": """
from eqlib import data
right = data.shift
data.shift = lambda images, steps: right(images, [[a + 7, b] for a, b in steps])
""",
    # A ReLU on components where lengths should be asked.
    "02_equivariance.ipynb": """
import torch
from eqlib.nn import NormActivation
NormActivation.forward = lambda self, x: torch.relu(x)
""",
    # Group elements multiplied in the other order, which the cyclic group does not notice.
    "03_group_convolutions.ipynb": """
import numpy as np
from eqlib.groups import Dihedral
Dihedral.table = property(lambda self: np.array(super(Dihedral, self).table).T)
""",
    # A dropped path: no filters of frequency 2.
    "04_steerable_kernels.ipynb": """
from eqlib.kernels import steerable
right = steerable.angular_basis
steerable.angular_basis = lambda a, b, degree: right(a, b, degree)[: 0 if degree == 2 else None]
""",
    # Circular harmonics with the wrong phase.
    "05_harmonic_networks.ipynb": """
from eqlib import harmonics
right = harmonics.harmonics
harmonics.harmonics = lambda group, x, *rest, **options: right(group, x.flip(-1), *rest, **options)
""",
    # One wrong sign in the Clebsch-Gordan tensor that makes degree 2 of degree 1.
    "06_irreps_of_rotations.ipynb": """
import copy
import numpy as np
from eqlib.groups import SO3
right = SO3.clebsch_gordan
def wrong(self, *labels):
    found = copy.copy(right(self, *labels))
    if tuple(map(str, labels)) == ("1", "1", "2"):
        values = np.array(found.values)
        values[0] *= -1
        found = type(found)(found.shape, found.indices, values, found.residual)
    return found
SO3.clebsch_gordan = wrong
""",
    # Clebsch-Gordan tensors of the wrong sign, where a filter has degree 2.
    "07_moment_of_inertia.ipynb": """
from eqlib.kernels import steerable
right = steerable.angular_basis
steerable.angular_basis = lambda a, b, degree: -right(a, b, degree) if degree == 2 else right(a, b, degree)
""",
    # Spherical harmonics of the kernels of voxels with their components in another order.
    "08_volumes.ipynb": """
from eqlib.kernels import grid_basis
right = grid_basis._harmonics
grid_basis._harmonics = lambda group, size, degree: right(group, size, degree)[:, ::-1]
""",
    # No filters of degree 1: what an atom is told points nowhere.
    "09_molecules.ipynb": """
from eqlib.kernels import steerable
right = steerable.angular_basis
steerable.angular_basis = lambda a, b, degree: right(a, b, degree)[: 0 if degree == 1 else None]
""",
    # An atom is no neighbour of its own images.
    "10_phonons.ipynb": """
from eqlib import graphs
right = graphs.neighbours
def wrong(*args, **given):
    found = right(*args, **given)
    kept = found.source != found.target
    return graphs.Edges(found.source[kept], found.target[kept], found.vectors[kept], found.targets)
graphs.neighbours = wrong
""",
    # Boosts that go a millionth too far, in every irrep alike.
    "12_lorentz_group.ipynb": """
import numpy as np
from eqlib.groups import Lorentz
right = Lorentz.matrices
def wrong(self, label):
    generators, discrete = right(self, label)
    return generators * np.array([1, 1, 1, 1 + 1e-6, 1 + 1e-6, 1 + 1e-6])[:, None, None], discrete
Lorentz.matrices = wrong
""",
    # Four-vectors with the metric of Euclid.
    "13_jet_tagging.ipynb": """
import numpy as np
from eqlib.groups import Lorentz
Lorentz.metric = property(lambda self: np.eye(4))
""",
    # Products without multiplicities: one octet in the square of SU(3)'s octet.
    "14_any_group.ipynb": """
from eqlib.groups.weights import RootSystem
right = RootSystem.tensor_product
RootSystem.tensor_product = lambda self, a, b: dict.fromkeys(right(self, a, b), 1)
""",
    # Kernels of degree 1 that are larger by a millionth.
    "15_poincare_convolutions.ipynb": """
from eqlib.kernels import steerable
right = steerable.angular_basis
steerable.angular_basis = lambda a, b, degree: right(a, b, degree) * (1 + 1e-6 * (degree == 1))
""",
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_form(path: Path) -> None:
    """A committed notebook breaks no rule."""
    assert form.problems(nbformat.read(path, as_version=4), path.name) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_as_refresh_writes_it(path: Path) -> None:
    """Metadata, cell ids and counts are those that tools/refresh.py gives, so that a diff shows what changed."""
    notebook = nbformat.read(path, as_version=4)
    before = nbformat.writes(notebook)
    refresh.normalise(notebook)
    assert nbformat.writes(notebook) == before


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("warm_kernels")
def test_notices_a_broken_library(path: Path) -> None:
    """With one thing broken in eqlib, the notebook raises or prints something else."""
    assert path.name in BREAKS, f"add to BREAKS what breaks {path.name}"
    difference = refresh.first_difference(path, BREAKS[path.name])
    print(difference)
    assert difference is not None


# What a verdict would have passed over: an error that is still small, and a network that has learnt too little.
SMALL = {
    "an error grows from 1e-15 to 1e-6": (
        "02_equivariance.ipynb",
        """
import torch
from eqlib.nn import NormActivation
right = NormActivation.forward
NormActivation.forward = lambda self, x: right(self, x) + 1e-6 * torch.arange(x.shape[-1])
""",
        r"e-0[567] > 1e-12\b.* instead of .*e-1[56] < 1e-12",
    ),
    "a trained figure leaves its range": (
        "07_moment_of_inertia.ipynb",
        """
from eqlib import training
right = training.fit
training.fit = lambda *given, epochs, **options: right(*given, epochs=1, **options)
""",
        r" outside .* instead of .* in ",
    ),
}


@pytest.mark.parametrize("change", SMALL)
@pytest.mark.usefixtures("warm_kernels")
def test_notices_a_small_change(change: str) -> None:
    """The number that has changed is what is found, with its sign or `outside`."""
    name, prologue, expected = SMALL[change]
    difference = refresh.first_difference(ROOT / "notebooks" / name, prologue)
    assert re.search(expected, str(difference), re.DOTALL), difference


# The rules themselves: a page that breaks none, and for each rule one change that breaks it

NAME = "99_test.ipynb"
WORDS = "a plain sentence of eight words stands here "
HEAD = f"""# A page

> * **You will learn** something.
> * **You need** little.
> * **Reading:** 5 minutes. **Running:** about 3 s. **Memory:** 200 MB.

[Open on Binder](https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/notebooks/{NAME})"""


def png(size: int = 8, noise: bool = False) -> str:
    """A picture, base64; with `noise` it cannot be compressed."""
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8) * int(noise)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def printed(text: str) -> NotebookNode:
    return new_output("stream", name="stdout", text=text)


def drawn(alt: str | None = "a black square", data: dict[str, str] | None = None) -> NotebookNode:
    about = {"image/png": {"alt": alt}} if alt else {}
    return new_output("display_data", data=data or {"image/png": png(), "text/plain": alt or ""}, metadata=about)


def caption(text: str = "a black square") -> NotebookNode:
    return new_output("display_data", data={"text/plain": text, "text/markdown": f"*{text}*"})


def turning(more: int = 0) -> NotebookNode:
    """A picture that turns, with so many more bytes."""
    page = turntable_html([viz.Points([(0, 0, 1)])], "a single point")
    page = page.replace('"unit"', f'"more":"{"x" * more}","unit"')
    return new_output("display_data", data={"text/html": page, "text/plain": "[a picture that turns: 1 Points]"})


def folded(text: str) -> NotebookNode:
    fold = f"<details><summary>Open</summary>\n\n```text\n{text}\n```\n\n</details>"
    return new_output("display_data", data={"text/plain": text, "text/markdown": fold})


ANSWER = "<details><summary>Answer</summary>\n\nTwo.\n\n</details>"
HINT, SOLUTION = (f"<details><summary>{name}</summary>\n\nThink.\n\n</details>" for name in ("Hint", "Solution"))


@functools.cache
def smallest_page() -> NotebookNode:
    """The smallest notebook with the right form."""
    code = [new_code_cell("import torch\ntorch.set_num_threads(1)\nprint(1)", outputs=[printed("1\n")])]
    numbers = [*8 * ["error 3e-16 < 1e-12"], "error 0.3 > 1e-12", "93.3 % in 93.1 ... 93.7"]
    code += [new_code_cell(f"x = {n}\nprint(x)", outputs=[printed(f"{text}\n")]) for n, text in enumerate(numbers)]
    code.append(new_code_cell("draw()\nagain()", outputs=[drawn(), caption()]))
    code.append(new_code_cell("# NBVAL_IGNORE_OUTPUT\ntrain()", outputs=[printed("0.123\n")]))
    code.append(new_code_cell("good > bad\nprint(good)", outputs=[printed("True\n")]))
    cells = [part for cell in code for part in (new_markdown_cell(2 * WORDS), cell)]
    cells += [
        new_markdown_cell(f"{WORDS}\n\nPredict before you run: what?"),
        new_code_cell("print(2)", outputs=[folded("2")]),
    ]
    cells += [new_markdown_cell(f"{ANSWER}\n\n### Exercise 1: think\n\n{WORDS}\n\n{HINT}")]
    cells += [new_code_cell("check(...)", outputs=[printed("not yet\n")])]
    cells += [new_markdown_cell(f"{SOLUTION}\n\n## 2. More\n\n### Exercise 2: think again\n\n{WORDS}\n\n{HINT}")]
    cells += [new_code_cell("check(...)", outputs=[printed("not yet\n")])]
    end = "## Summary\n\nWhere to read on: elsewhere. Shut the kernel down."
    cells[0] = new_markdown_cell(f"{HEAD}\n\n## 1. A section")
    code = [cell for cell in cells if cell.cell_type == "code"]
    for number, cell in enumerate(code):
        cell.execution_count = number + 1
    return new_notebook(cells=[*cells, new_markdown_cell(f"{SOLUTION}\n\n{end}")])


def good_page() -> NotebookNode:
    """A new copy of it."""
    return copy.deepcopy(smallest_page())


def code_cell(page: NotebookNode, number: int) -> NotebookNode:
    return [cell for cell in page.cells if cell.cell_type == "code"][number]


def replaced(page: NotebookNode, old: str, new: str) -> None:
    """Replace a text in every markdown cell; it must be there."""
    assert any(old in cell.source for cell in page.cells)
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace(old, new)


def outputs(number: int, *items: NotebookNode) -> Callable[[NotebookNode], None]:
    return lambda page: code_cell(page, number).update(outputs=list(items))


def source(number: int, text: str) -> Callable[[NotebookNode], None]:
    return lambda page: code_cell(page, number).update(source=text)


def tags(number: int, *names: str) -> Callable[[NotebookNode], None]:
    return lambda page: code_cell(page, number).metadata.update(tags=list(names))


def bound_again(page: NotebookNode) -> None:
    """A slider's function calls another one, which reads a name that the next cell binds anew."""
    code_cell(page, 3).update(
        source="one = 3\ndef half(): return one / 2\ndef plot(x): return x * half()\nviz.slider(plot)"
    )
    code_cell(page, 4).update(source="one = 5\nprint(one)")


def swap(old: str, new: str) -> Callable[[NotebookNode], None]:
    return lambda page: replaced(page, old, new)


def only_few_checked(page: NotebookNode) -> None:
    """All numbers are in the first cells."""
    code_cell(page, 0).outputs = [printed("\n".join(8 * ["error 3e-16 < 1e-12"] + ["error 0.3 > 1e-12"]))]
    for number in range(1, 11):
        code_cell(page, number).outputs = []


def only_pictures(page: NotebookNode) -> None:
    only_few_checked(page)
    for number in range(1, 11):
        code_cell(page, number).outputs = [drawn(), caption()]


def printing(number: int, old: str, new: str) -> Callable[[NotebookNode], None]:
    """Change what a code cell has printed; the old text must be there."""

    def change(page: NotebookNode) -> None:
        output = code_cell(page, number).outputs[0]
        assert old in output.text
        output.text = output.text.replace(old, new)

    return change


def verdicts(page: NotebookNode) -> None:
    code_cell(page, 10).outputs = [printed("better: True\nworse: False\nlevel: True\n")]


def no_picture(page: NotebookNode) -> None:
    code_cell(page, 11).outputs = []


def long_cell(page: NotebookNode) -> None:
    code_cell(page, 3).source = "\n".join(["y = 1"] * 26)
    replaced(page, 2 * WORDS, 4 * WORDS)


def long_median(page: NotebookNode) -> None:
    for number in range(12):
        code_cell(page, number).source += "\ny = 1" * 8
    replaced(page, 2 * WORDS, 11 * WORDS)


def code_in_a_row(page: NotebookNode) -> None:
    for place in (4, 5, 6):
        page.cells[2].source += page.cells.pop(place).source


def wordy_cell(page: NotebookNode) -> None:
    """Two hundred and fifty words and one in one cell; the others give up as many."""
    page.cells[2].source = 251 * "word "
    code_cell(page, 3).source += 20 * "\ny = 1"


def few_cells(page: NotebookNode) -> None:
    """Without five pairs of cells and one more; their numbers stand in the first."""
    code_cell(page, 0).outputs = [printed("\n".join(9 * ["error 3e-16 < 1e-12"]))]
    page.cells = page.cells[:2] + page.cells[13:]


def three_predictions(page: NotebookNode) -> None:
    place = next(n for n, cell in enumerate(page.cells) if "Predict" in cell.source)
    answer = new_markdown_cell(f"{ANSWER}\n\n---\n\n{WORDS}")
    again = copy.deepcopy([page.cells[place], page.cells[place + 1], answer])
    page.cells[place:place] = [*again, *copy.deepcopy(again)]


traceback = new_output("error", ename="ValueError", evalue="no", traceback=["no"])
widget = {"application/vnd.jupyter.widget-view+json": '{"model_id": "0"}', "text/plain": "slider"}
BAD: dict[str, tuple[Callable[[NotebookNode], None], str]] = {
    "never run": (lambda page: code_cell(page, 3).update(execution_count=None), "was never run"),
    "traceback": (outputs(3, printed("3\n"), traceback), "traceback"),
    "stderr": (outputs(3, printed("3\n"), new_output("stream", name="stderr", text="warning")), "stderr"),
    "few numbers": (lambda page: [printing(n, " < 1e-12", " less")(page) for n in (2, 3, 4)], "7 numbers beside a limit"),
    "a fifth are verdicts": (verdicts, "printed lines are verdicts"),
    "nothing fails": (printing(9, "0.3 > 1e-12", "3e-13 < 1e-12"), "nothing is made to fail"),
    "a loose limit": (printing(3, "1e-12", "1e-6"), "lets an error of rounding grow"),
    "outside": (printing(10, " in ", " outside "), "outside its range"),
    "answer in sight": (swap("<summary>Answer", "<summary>See"), "not folded under 'Answer'"),
    "text under the answer": (swap(ANSWER, f"{ANSWER}\n\nSo it is."), "looks like the opened answer"),
    "output in sight": (outputs(14, folded("2"), printed("2\n")), "not all folded"),
    "output not folded": (outputs(14, printed("2\n")), "not all folded"),
    "prediction not last": (swap("run: what?", "run: what?\n\nHm."), "does not end its cell"),
    "three predictions": (three_predictions, "3 times 'Predict before you run', not 1 to 2"),
    "exercises in one section": (swap("## 2. More\n\n", ""), "goes on behind its exercise"),
    "exercises counted wrongly": (swap("### Exercise 2: ", "### Exercise 3: "), "is not '### Exercise 2"),
    "section goes on": (swap("## 2. More", "And so on.\n\n## 2. More"), "goes on behind its exercise"),
    "no stub": (outputs(15, printed("right\n")), "stub does not stand here"),
    "no hint": (swap(f"again\n\n{WORDS}\n\n{HINT}", f"again\n\n{WORDS}"), "no folded hint"),
    "four code cells in a row": (code_in_a_row, "more than 3 code cells in a row"),
    "251 words": (wordy_cell, "251 words in sight"),
    "no picture": (no_picture, "no picture"),
    "a wide line": (source(3, f"x = '{92 * 'x'}'\nprint(x)"), "a line of 98 characters"),
    "few checked outputs": (only_few_checked, "checked outputs"),
    "pictures are not checked outputs": (only_pictures, "checked outputs"),
    "ignored by tag, three": (
        lambda page: [tags(n, "nbval-ignore-output")(page) for n in (2, 4)],
        "3 cells whose output nbval ignores",
    ),
    "ignored, then nothing checked": (outputs(13), "not followed by a checked comparison"),
    "skip tag": (tags(3, "nbval-skip"), "nbval-skip"),
    "skip comment": (source(3, "# NBVAL_SKIP\nprint(3)"), "NBVAL_SKIP"),
    "raises tag": (tags(3, "raises-exception"), "raises-exception"),
    "large picture": (outputs(11, drawn(data={"image/png": png(200, noise=True)}), caption()), "a picture of"),
    "no alt text": (outputs(11, drawn(alt=None)), "without alt text"),
    "no caption": (outputs(11, drawn(), caption("a white square")), "without its caption"),
    "a turning picture alone": (lambda page: code_cell(page, 10).outputs.append(turning()), "without one that stands still"),
    "a large turning picture": (outputs(11, drawn(), caption(), turning(60_000)), "a picture that turns of 66 kB"),
    "HTML": (outputs(11, drawn(data={"image/png": png(), "text/html": "<img>"}), caption()), "holds HTML"),
    "jpeg": (outputs(11, drawn(data={"image/jpeg": "AAAA"}), caption()), "no PNG"),
    "widget view": (outputs(3, printed("3\n"), new_output("display_data", data=widget)), "holds a widget"),
    "widget state": (lambda page: page.metadata.update(widgets={}), "widget state"),
    "a slider's name bound again": (bound_again, "binds 'one' again, which the slider of cell"),
    "26 lines": (long_cell, "26 lines of code"),
    "long median": (long_median, "the median code cell has"),
    "two H1": (swap("## Summary", "# Summary"), "2 H1 headings"),
    "no heading first": (lambda page: page.cells.insert(0, new_markdown_cell("Hello")), "does not begin with the H1"),
    "24 cells": (few_cells, "24 cells"),
    "46 cells": (lambda page: page.update(cells=page.cells[:2] + 11 * [new_markdown_cell("Hm.")] + page.cells[2:]), "46 cells"),
    "few words": (swap(2 * WORDS, WORDS), "words of prose to a line"),
    "many words": (swap(2 * WORDS, 5 * WORDS), "words of prose to a line"),
    "threads": (source(0, "import torch\n\nprint(1)"), "torch.set_num_threads(1)"),
    "box": (swap("**Memory:** 200 MB", "**Memory:** little"), "'Memory: N MB'"),
    "Binder link": (swap(NAME, "00_other.ipynb"), "no Binder link"),
    "no prediction": (swap("Predict before you run", "Look"), "Predict before you run"),
    "one exercise": (swap("### Exercise 2", "### Question"), "1 exercises"),
    "a box that runs on": (swap("> * **You need**", "> **You need**"), "'You need'"),
    "no summary": (swap("## Summary", "## End"), "'Summary'"),
    "no reminder": (swap("Shut the kernel down", "Goodbye"), "shut the kernel down"),
    "path in source": (source(3, "open('/home/me/data')"), "an absolute path (/home/me)"),
    "path in output": (outputs(3, printed("C:\\Users\\me\\x\n")), "an absolute path"),
}  # fmt: skip


def test_a_good_page_breaks_no_rule() -> None:
    assert form.problems(good_page(), NAME) == []


@pytest.mark.parametrize("rule", BAD)
def test_each_rule_refuses(rule: str) -> None:
    """A page that breaks one rule is refused for it, and for nothing else."""
    change, message = BAD[rule]
    page = good_page()
    change(page)
    found = form.problems(page, NAME)
    assert any(message in problem for problem in found), found
    assert len(found) == 1, found


def test_a_picture_that_turns_is_allowed_and_is_no_checked_output() -> None:
    page = good_page()
    before = form.checked_outputs([cell for cell in page.cells if cell.cell_type == "code"])
    code_cell(page, 11).outputs.append(turning())
    assert form.problems(page, NAME) == []
    assert form.checked_outputs([cell for cell in page.cells if cell.cell_type == "code"]) == before


def test_solutions_and_code_are_not_prose() -> None:
    hint = "<details><summary>Hint</summary>\n\nthree more words\n\n</details>"
    solution = "<details><summary>Solution</summary>\n\nmany words here\n\n```python\nx = 1\n```\n\n</details>"
    assert form.prose("Two words.") == 2
    others = "$$a = b$$\n\n```\ncode\n```\n\n| a | table |\n| --- | --- |"
    assert form.prose(f"Two words.\n\n{hint}\n\n{solution}\n\n{others}") == 5
    assert form.prose("Let $x = y + z$ be `f(x)`, see [this page](https://example.org/a/b).") == 7


def test_reading_minutes() -> None:
    """A hundred words, ten lines of code and two exercises: one minute, one and ten, so ten to the nearest five."""
    page = new_notebook(cells=[new_markdown_cell("word " * 100), new_code_cell("x = 1\n" * 10)])
    assert form.reading_minutes(page) == 0
    page.cells += [new_markdown_cell("### Exercise 1"), new_markdown_cell("### Exercise 2")]
    assert form.reading_minutes(page) == 10


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_box_says_how_long(path: Path) -> None:
    """As `form.reading_minutes` has it, and within one sitting."""
    notebook = nbformat.read(path, as_version=4)
    minutes = form.reading_minutes(notebook)
    assert f"**Reading:** {minutes} minutes" in notebook.cells[0].source
    assert minutes <= 75


# nbval with this project's conftest.py sees pictures

DRAW = """from PIL import Image, ImageDraw
from eqlib import viz
page = Image.new("RGB", (200, 100), "white")
ImageDraw.Draw(page).line((10, 50, 190, 50), fill="black", width=2)
viz.show(page, alt="a horizontal line")"""


def run_nbval(page: NotebookNode, folder: Path) -> subprocess.CompletedProcess[str]:
    """nbval as `make test` calls it, on one page, in a folder of its own with this project's conftest.py."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    nbformat.write(page, folder / "page.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "page.ipynb"], cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
    )


@pytest.mark.usefixtures("warm_kernels")
def test_nbval_compares_pictures(tmp_path: Path) -> None:
    """A run whose picture differs from the committed one fails, though nbval itself ignores pictures."""
    page = new_notebook(cells=[new_code_cell(DRAW), new_code_cell(DRAW.replace("50", "51"))])
    refresh.execute(page, tmp_path)
    for number, cell in enumerate(page.cells):
        cell.execution_count = number + 1
        del cell.metadata["execution"]
    page.cells[0].source = DRAW.replace("50", "60")
    result = run_nbval(page, tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "picture 1 looks different" in result.stdout
    assert "1 failed, 1 passed" in result.stdout
