"""Run notebooks and write what is committed: `python tools/refresh.py notebooks/*.ipynb` (`make refresh`).

Each notebook runs in its own folder, in a fresh kernel of this very Python, on one thread. What is written has text and
small pictures and nothing that changes without a reason: old outputs are kept where the new ones look and say the same;
timings, widget state and other metadata are dropped; cell ids follow from the text. A notebook is not written, and the
command fails, where a cell raises or writes to stderr, a text holds a path, a host name or an address in memory, a
picture is above 60 kB, or the run takes more than 60 s or 700 MB.

    --check     write nothing, and fail where text or pictures differ from what is committed
    --no-run    only normalise the file, after a change of prose

This is the author's tool. In the tests nbval runs each notebook once, and `conftest.py` compares pictures and budget.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil  # type: ignore[import-untyped]
from committed import (
    PICTURE_BYTES,
    clean_output,
    coalesced,
    compare,
    ignored,
    look_alike,
    normalise,
    pictures,
    refusals,
    same_texts,
    texts,
    turn_alike,
)
from nbformat import NotebookNode

SECONDS, MEGABYTES = 60, 700
STARTS = 3  # of a kernel, before its death is taken seriously


class Refused(Exception):
    """The notebook must not be committed like this; the message says which cell and why."""


@dataclass
class Run:
    """What one execution cost, and what it found different from the file."""

    seconds: float = 0.0
    megabytes: float = 0.0
    kept: int = 0
    differences: list[str] = field(default_factory=list)


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the file in one step, so that an interrupted run leaves the old one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            nbformat.write(notebook, file)
        os.chmod(name, path.stat().st_mode)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def peak_megabytes(pid: int) -> float:
    """The most memory that a process has held; where the system does not say (macOS), what it holds now."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        if found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8")):
            return int(found[1]) / 1024
    memory = psutil.Process(pid).memory_info()
    return float(getattr(memory, "peak_wset", memory.rss)) / 2**20


def client(notebook: NotebookNode, folder: Path) -> Any:
    """An nbclient for a fresh kernel of the running interpreter, whatever kernels the user has installed."""
    import ipykernel.kernelspec
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from nbclient import NotebookClient

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict())

    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    about = {"metadata": {"path": str(folder)}}
    nb = NotebookClient(notebook, km=manager, timeout=600, allow_errors=True, store_widget_state=False, resources=about)
    nb.owns_km = True  # or the kernel would outlive the run
    return nb


@contextlib.contextmanager
def running(notebook: NotebookNode, folder: Path) -> Iterator[Any]:
    """The client with its kernel started.

    jupyter_client looks for free ports and lets them go before the kernel takes them, so of kernels that start at the same time
    one may find its port taken, and die. Then it is started again.
    """
    with contextlib.ExitStack() as stack:
        for left in reversed(range(STARTS)):
            nb = client(notebook, folder)
            try:
                stack.enter_context(nb.setup_kernel(env=one_thread()))
                break
            except RuntimeError:
                if not left:
                    raise
        yield nb


def one_thread() -> dict[str, str]:
    """The environment of a kernel: this one, with one thread."""
    return os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def execute(notebook: NotebookNode, folder: Path) -> Run:
    """Run every cell of the notebook in place; stops at the first that raises."""
    run = Run()
    began = time.perf_counter()
    with running(notebook, folder) as nb:
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            nb.execute_cell(cell, index)
            run.megabytes = max(run.megabytes, peak_megabytes(nb.km.provisioner.pid))
            if any(output.output_type == "error" for output in cell.outputs):
                break
    run.seconds = time.perf_counter() - began
    return run


def first_difference(path: Path, prologue: str) -> str | None:
    """Run `prologue`, then the notebook until a cell raises or prints something else than is committed.

    Returns the cell's number and what happened, or None where the notebook never noticed. Tests break the library in
    the prologue and want an answer; it comes as soon as there is one.
    """
    notebook = nbformat.read(path, as_version=4)
    with running(notebook, path.parent) as nb:
        opening = nbformat.v4.new_code_cell(prologue)
        nb.nb.cells.append(opening)
        nb.execute_cell(opening, len(notebook.cells) - 1)
        if opening.outputs:
            raise ValueError(f"prologue must run without a word, it gave {texts(opening.outputs)}")
        for index, cell in enumerate(notebook.cells[:-1]):
            if cell.cell_type != "code":
                continue
            committed = list(cell.outputs)
            nb.execute_cell(cell, index)
            if any(output.output_type == "error" for output in cell.outputs):
                return f"cell {index} raises: {texts(cell.outputs)[-1]}"
            if not ignored(cell) and not same_texts(cell.outputs, committed):
                return f"cell {index} prints {texts(cell.outputs)} instead of {texts(committed)}"
    return None


def refresh(path: Path, check: bool = False, run_it: bool = True) -> Run:
    """Run one notebook and write it (not with `check`). Raises Refused with every reason why it must not be."""
    notebook = nbformat.read(path, as_version=4)
    old = [list(cell.get("outputs", [])) for cell in notebook.cells]
    run = execute(notebook, path.parent) if run_it else Run()
    problems = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if check:
            run.differences += compare(cell, old[number], number)
        cleaned = (clean_output(output, ignored(cell)) for output in coalesced(cell.outputs))
        cell.outputs = [output for output in cleaned if output is not None]
        for one, other in zip(old[number], cell.outputs, strict=False):
            # An error that is 3e-16 here and was 2e-16 there is no change; a picture is looked at below.
            if pictures([one, other]) == [] and texts([one]) != texts([other]) and same_texts([one], [other]):
                other.update({key: one[key] for key in ("text", "data") if key in one})
            pages = [output.get("data", {}).get("text/html", "") for output in (one, other)]
            if turn_alike(*pages):
                other.data["text/html"] = pages[0]
        before = [output for output in old[number] if "image/png" in output.get("data", {})]
        after = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        for one, other in zip(before, after, strict=False):
            # An old picture that is itself too large was not written by this tool: it is replaced.
            if len(base64.b64decode(one.data["image/png"])) <= PICTURE_BYTES:
                if look_alike(one.data["image/png"], other.data["image/png"]):
                    other.data["image/png"] = one.data["image/png"]
                    run.kept += 1
        problems += [f"cell {number} {reason}" for reason in refusals(cell, path.parent)]
    if run.seconds > SECONDS:
        problems.append(f"takes {run.seconds:.0f} s, more than {SECONDS}")
    if run.megabytes > MEGABYTES:
        problems.append(f"takes {run.megabytes:.0f} MB, more than {MEGABYTES}")
    if problems:
        raise Refused("\n  ".join([f"{path.name}:", *problems]))
    normalise(notebook)
    if not check:
        write(notebook, path)
    return run


def main() -> int:
    """Refresh the notebooks named on the command line; 1 if any was refused or, with --check, differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where anything differs")
    parser.add_argument("--no-run", action="store_true", help="normalise the file without running it")
    options = parser.parse_args()
    failed = False
    for path in options.notebooks:
        try:
            run = refresh(path, check=options.check, run_it=not options.no_run)
        except Refused as reason:
            print(f"REFUSED {reason}")
            failed = True
            continue
        print(f"{path.name}: {run.seconds:.1f} s, {run.megabytes:.0f} MB, {run.kept} pictures as before")
        for difference in run.differences:
            print(f"  {difference}")
        failed |= bool(run.differences)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
