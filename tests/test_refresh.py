"""tools/refresh.py writes what may be committed and refuses the rest; tools/student.py leaves out the solutions."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import committed
import nbformat
import numpy as np
import pytest
import refresh
import student
import warm
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageDraw

from eqlib.viz import png
from eqlib.viz.widgets import RUN_IT

PAGE = [
    "import os\nprint(os.environ['OMP_NUM_THREADS'])",
    "from eqlib import viz\n"
    "viz.slider(lambda a: viz.picture([[a, 1.0]], size=64), name='angle', start=0, stop=9, step=1, value=2,\n"
    "           text=lambda a: f'{a:.1f} turns', alt='two coloured squares')",
    "viz.show(viz.picture([[0.0, 1.0]], size=64), alt='a white and a dark square')\n1 + 1",
]


def write_page(path: Path, *cells: str) -> Path:
    """A notebook with these code cells and metadata that another program would leave in it."""
    page = new_notebook(cells=[new_markdown_cell("# Page"), *map(new_code_cell, cells)])
    page.metadata = {"widgets": {"state": {}}, "kernelspec": {"name": "other", "display_name": "My machine"}}
    page.cells[1].metadata = {"tags": ["kept"], "execution": {"shell.execute_reply": "2020"}, "collapsed": True}
    page.cells[1].metadata["jupyter"] = {"outputs_hidden": True, "source_hidden": False}
    nbformat.write(page, path)
    return path


def drawing(height: int = 60, shift: float = 0.0) -> str:
    """A curve and a caption, base64 PNG, drawn large and reduced so that it is antialiased."""
    sheet = Image.new("RGB", (1200, 800), "white")
    draw = ImageDraw.Draw(sheet)
    points = [(x, 400 + height * np.sin(x / 100) + 4 * shift) for x in range(0, 1200, 4)]
    draw.line(points, fill="#0072B2", width=8)
    return base64.b64encode(png(sheet.resize((300, 200), Image.Resampling.LANCZOS))).decode("ascii")


def test_writes_text_pictures_and_nothing_else(tmp_path: Path) -> None:
    """One run: stable metadata, one thread, a slider without its widget; a second run changes no byte."""
    path = write_page(tmp_path / "page.ipynb", *PAGE)
    run = refresh.refresh(path)
    assert 0 < run.seconds < 60 and 20 < run.megabytes < 700 and run.kept == 0
    page = nbformat.read(path, as_version=4)
    nbformat.validate(page)
    assert page.metadata == committed.METADATA
    assert page.cells[1].metadata == {"tags": ["kept"], "jupyter": {"outputs_hidden": True}}
    assert [cell.execution_count for cell in page.cells[1:]] == [1, 2, 3]
    assert page.cells[1].outputs[0].text == "1\n"
    shown, caption = page.cells[2].outputs
    markdown = f"*two coloured squares*\n\n{RUN_IT}"
    assert caption.data == {"text/plain": "two coloured squares", "text/markdown": markdown}
    assert set(shown.data) == {"image/png", "text/plain"}
    assert shown.data["text/plain"] == "[slider from 0 to 9°] angle = 2°: 2.0 turns"
    assert shown.metadata == {"image/png": {"alt": "two coloured squares"}}
    still, caption, last = page.cells[3].outputs
    assert set(still.data) == {"image/png", "text/plain"} and last.data == {"text/plain": "2"}
    assert caption.data["text/markdown"] == "*a white and a dark square*"
    assert list(tmp_path.iterdir()) == [path]
    before = path.read_bytes()
    assert before.endswith(b"}\n") and b"\r" not in before
    with warm.kernels():
        assert refresh.refresh(path, check=True).differences == []
        assert refresh.refresh(path).kept == 2
    assert path.read_bytes() == before


@pytest.mark.usefixtures("warm_kernels")
def test_check_reports_and_writes_nothing(tmp_path: Path) -> None:
    path = write_page(tmp_path / "page.ipynb", "1 + 1", "print('x')")
    refresh.refresh(path)
    text = path.read_text(encoding="utf-8").replace('"2"', '"3"')
    path.write_text(text, encoding="utf-8")
    assert len(refresh.refresh(path, check=True).differences) == 1
    assert path.read_text(encoding="utf-8") == text


NOISE = "import numpy as np\nfrom eqlib import viz\nnoise = np.random.default_rng(0).normal(size=(400, 400))\n"
REFUSED = {
    "1 / 0": "raises ZeroDivisionError",
    "import sys; print('careful', file=sys.stderr)": "writes to stderr: careful",
    "import os; print(os.getcwd())": "prints an absolute path",
    "object()": "prints an address in memory",
    NOISE + "viz.show(viz.picture(noise, size=800), alt='a lot of noise')": "has a picture of",
}


@pytest.mark.usefixtures("warm_kernels")
def test_refuses_what_must_not_be_committed(tmp_path: Path) -> None:
    """Each reason is named with its cell, and the file stays as it was."""
    for number, (code, message) in enumerate(REFUSED.items()):
        path = write_page(tmp_path / f"{number}.ipynb", "1", code)
        before = path.read_bytes()
        with pytest.raises(refresh.Refused, match=f"cell 2 .*{re.escape(message)}"):
            refresh.refresh(path)
        assert path.read_bytes() == before


@pytest.mark.usefixtures("warm_kernels")
@pytest.mark.parametrize(("limit", "message"), [("SECONDS", "s, more than"), ("MEGABYTES", "MB, more than")])
def test_refuses_what_outgrows_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, message: str
) -> None:
    monkeypatch.setattr(refresh, limit, 0.01)
    with pytest.raises(refresh.Refused, match=message):
        refresh.refresh(write_page(tmp_path / "page.ipynb", "1"))


def test_names_a_machine() -> None:
    assert committed.private("all is well at 3:1, see https://example.org/home/x", Path("notebooks")) is None
    assert committed.private("in /home/me/x", Path("notebooks")) == "an absolute path (/home/me)"
    assert committed.private("C:\\data\\x", Path("notebooks")) is not None
    if len(socket.gethostname()) > 3 and socket.gethostname() != "localhost":
        assert committed.private(f"on {socket.gethostname()} now", Path("notebooks")) is not None


def test_pictures_are_compared_by_eye() -> None:
    """Another antialiasing is the same picture; a line moved by three pixels, a sign or another size is not."""
    old = committed.small(drawing())
    assert committed.look_alike(old, old)
    assert committed.look_alike(old, drawing())
    assert committed.look_alike(old, drawing(shift=0.3))
    assert not committed.look_alike(old, drawing(shift=3))
    assert not committed.look_alike(old, drawing(height=-60))
    smaller = base64.b64encode(png(committed.decode(old).resize((299, 200)))).decode("ascii")
    assert not committed.look_alike(old, smaller)


def test_a_large_picture_is_made_small() -> None:
    gradient = np.add.outer(np.arange(500), np.arange(800))
    rgb = np.stack([gradient % 256, gradient // 2 % 256, gradient // 3 % 256], axis=-1).astype(np.uint8)
    large = base64.b64encode(png(Image.fromarray(rgb))).decode("ascii")
    assert len(base64.b64decode(committed.small(large))) <= committed.PICTURE_BYTES


@pytest.mark.usefixtures("warm_kernels")
def test_first_difference(tmp_path: Path) -> None:
    """None where the library is whole; else the first cell that notices, and nothing after it is run."""
    path = write_page(
        tmp_path / "page.ipynb",
        "from eqlib.viz import pictures\nprint(pictures.table('grey').sum())",
        "_ = open('ran', 'w').close()",
    )
    refresh.refresh(path)
    assert refresh.first_difference(path, "pass") is None
    (tmp_path / "ran").unlink()
    broken = "from eqlib.viz import pictures; import numpy as np; pictures.table = lambda cmap: np.zeros(3)"
    assert "cell 1 prints" in str(refresh.first_difference(path, broken))
    assert "cell 1 raises" in str(refresh.first_difference(path, "from eqlib.viz import pictures; del pictures.table"))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ValueError, match="prologue"):
        refresh.first_difference(path, "1 / 0")


SAID = "from eqlib.testing import within\nprint('error', within({error}, 1e-12), 'after 0.1 s')"
FOLDED = "from eqlib import viz\nwith viz.folded('Which?'):\n    print('the first')"


@pytest.mark.usefixtures("warm_kernels")
def test_another_rounding_changes_no_byte(tmp_path: Path) -> None:
    """An error below its limit stays as it was committed, and is noticed where it breaks the limit; a fold is a text."""
    path = write_page(tmp_path / "page.ipynb", SAID.format(error="2e-16"), FOLDED)
    refresh.refresh(path)
    page = nbformat.read(path, as_version=4)
    assert page.cells[1].outputs[0].text == "error 2e-16 < 1e-12 after 0.1 s\n"
    assert page.cells[2].outputs[0].data["text/plain"] == "the first"
    assert page.cells[2].outputs[0].data["text/markdown"].startswith("<details><summary>Which?</summary>")
    for error, kept in (("4e-16", True), ("1e-6", False)):
        page.cells[1].source = f"error = {error}\n" + SAID.format(error="error")
        nbformat.write(page, path)
        run = refresh.refresh(path)
        text = nbformat.read(path, as_version=4).cells[1].outputs[0].text
        assert text.startswith("error 2e-16 < 1e-12" if kept else "error 1e-06 > 1e-12"), text
    assert (refresh.first_difference(path, "from eqlib import testing") is None) and run.differences == []
    broken = "from eqlib import testing\ntesting.within = lambda *_: '1e-06 < 1e-11'"
    assert "cell 1 prints" in str(refresh.first_difference(path, broken))


def test_students_get_hints_but_no_solutions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hint = "<details><summary>Hint</summary>\n\nTry 2.\n\n</details>"
    solution = "<details><summary>Solution</summary>\n\nIt is hidden.\n\n</details>"
    cells: list[NotebookNode] = [new_markdown_cell(f"# Page\n\n{hint}\n\n{solution}"), new_markdown_cell(solution)]
    (tmp_path / "notebooks").mkdir()
    code = new_code_cell("x", execution_count=3, outputs=[new_output("stream", text="the output")])
    nbformat.write(new_notebook(cells=[*cells, code]), tmp_path / "notebooks" / "a.ipynb")
    monkeypatch.setattr(
        "sys.argv", ["student.py", "--notebooks", str(tmp_path / "notebooks"), "--out", str(tmp_path / "student")]
    )
    student.main()
    copy = (tmp_path / "student" / "a.ipynb").read_text(encoding="utf-8")
    assert "hidden" not in copy and "Try 2." in copy
    assert "the output" not in copy and json.loads(copy)["cells"][1]["execution_count"] is None
    assert [cell["cell_type"] for cell in json.loads(copy)["cells"]] == ["markdown", "code"]
    with pytest.raises(ValueError, match="details"):
        student.without_solutions("<details><summary>Solution</summary>\n\nIt is hidden.")


@pytest.mark.usefixtures("warm_kernels")
@pytest.mark.parametrize("deaths", [refresh.STARTS - 1, refresh.STARTS])
def test_a_kernel_whose_port_was_taken_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    path = write_page(tmp_path / "page.ipynb", "print(1)")
    right, died = refresh.client, []

    @contextlib.contextmanager
    def dies(**_: object) -> Iterator[None]:
        died.append(True)
        raise RuntimeError("Kernel died before replying to kernel_info")
        yield

    def client(*args: Any) -> Any:
        nb = right(*args)
        if len(died) < deaths:
            nb.setup_kernel = dies
        return nb

    monkeypatch.setattr(refresh, "client", client)
    if deaths == refresh.STARTS:
        with pytest.raises(RuntimeError, match="Kernel died"):
            refresh.refresh(path)
    else:
        refresh.refresh(path)
        assert nbformat.read(path, as_version=4).cells[1].outputs[0].text == "1\n"
    assert len(died) == deaths


def test_nbval_starts_a_kernel_again_that_dies_at_once() -> None:
    """Twice; a third death is an error, and so is another one than a kernel's."""
    import conftest

    for deaths in (0, 2, 3):
        left = [RuntimeError("Kernel died before replying to kernel_info")] * deaths

        def start(name: str, *, cwd: str, left: list[RuntimeError] = left) -> tuple[str, str]:
            if left:
                raise left.pop()
            return name, cwd

        if deaths < refresh.STARTS:
            assert conftest.patient(start)("python", cwd="here") == ("python", "here") and not left
        else:
            with pytest.raises(RuntimeError, match="died"):
                conftest.patient(start)("python", cwd="here")
