"""What nbval does not see: pictures, memory and time of the notebooks that it runs.

`pytest --nbval --nbval-current-env notebooks` runs every notebook once and compares texts; the hook below then compares
the same run's pictures with the committed ones, by eye, and stops a notebook that outgrows its budget. Time is the
kernel's processor time, so that a busy machine does not fail the tests.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any

import nbval.kernel
import psutil
import pytest
import refresh
import warm
from committed import SANITISE, ignored, look_alike, pictures, small, turn_alike, turntables

# The processor seconds of one page, on machines that were to be alike, differed by a factor of up to three.
SLOWER = 3
# `make oldest` says so: another matplotlib sets its letters elsewhere. How many pictures there are still counts.
ANY_PICTURES = bool(os.environ.get("EQLIB_ANY_PICTURES"))
# Parts of the names of tests that take many seconds.
LONG = (
    ".ipynb::",
    "test_browser.py",
    "test_processes.py",
    "test_streaming.py",
    "test_benchmarks.py",
    "test_notebooks.py",
    "test_refresh.py",
    "test_soak.py",
)
LONG += ("tests/tasks/", "test_train.py", "any_process", "wigner_3j", "E8", "compile", "resume")

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a kernel inherits it


def pytest_configure(config: pytest.Config) -> None:
    """nbval compares all texts but for numbers beside a limit that they keep, and seconds."""
    if getattr(config.option, "nbval_sanitize_with", "") is None:
        config.option.nbval_sanitize_with = str(SANITISE)
    nbval.kernel.start_new_kernel = patient(nbval.kernel.start_new_kernel)


def patient(start: Callable[..., Any]) -> Callable[..., Any]:
    """Start a kernel again if it dies at once, as tools/refresh.py does: between choosing its ports and taking them another
    process, such as another worker's kernel, may have one of them."""

    def started(*args: Any, **kwargs: Any) -> Any:
        for left in reversed(range(refresh.STARTS)):
            try:
                return start(*args, **kwargs)
            except RuntimeError:
                if not left:
                    raise
            with warnings.catch_warnings():  # of the files that a dead kernel leaves open
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()

    return started


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `pytest -n`, what shares a kernel, browser, torchrun or `warm_kernels` stays with one worker; others go one by one.

    A file at a time would build some groups once instead of twice, for 2 % of the processor's time, and end less evenly.
    (xdist's own groups, `--dist loadgroup`, are lost on pytest 9.2: xdist 3.8 writes them where it no longer reads.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByKernel(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            if file.endswith(("test_notebooks.py", "test_refresh.py", "test_interrupt.py", "test_soak.py")):
                return "warm kernels"
            return (
                file
                if file.endswith((".ipynb", "test_browser.py", "test_processes.py", "test_streaming.py"))
                else nodeid
            )

    config.option.loadscopereorder = False  # the order is that of pytest_collection_modifyitems
    return ByKernel(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that the workers end together."""
    items.sort(key=lambda item: next((rank for rank, name in enumerate(LONG) if name in item.nodeid), len(LONG)))


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Each test draws the same numbers every time, alone or among others: what fails, fails again."""
    import torch

    torch.manual_seed(0)


@pytest.fixture
def warm_kernels() -> Iterator[None]:
    """The kernels that a test starts have torch imported already (tools/warm.py)."""
    with warm.kernels():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """After nbval's own comparison of a cell, compare pictures and budget."""
    cell: Any = item if type(item).__name__ == "IPyNbCell" else None
    if cell is not None and "text/html" not in cell.parent.skip_compare:
        cell.parent.skip_compare += ("text/html",)  # it repeats a picture or a plain text, and is not committed
    yield
    if cell is not None:
        check_cell(cell)


def check_cell(item: pytest.Item) -> None:
    """Raise nbval's own error if a picture looks different or the kernel is above its budget."""
    committed, new = pictures(item.cell.outputs), pictures(item.test_outputs)
    if not ignored(item.cell):
        if len(committed) != len(new):
            item.raise_cell_error(f"{len(new)} pictures, {len(committed)} are committed")
        for place, (old, now) in enumerate(zip(committed, new, strict=True)):
            if not ANY_PICTURES and not look_alike(old, small(now)):
                item.raise_cell_error(f"picture {place + 1} looks different: run `make refresh` and look at the diff")
        before, after = turntables(item.cell.outputs), turntables(item.test_outputs)
        if len(before) != len(after) or not all(map(turn_alike, before, after)):
            item.raise_cell_error("a picture that turns is another: run `make refresh` and turn it")
    cost = budget(item.parent.kernel.km.provisioner.pid)
    if cost.megabytes > refresh.MEGABYTES:
        item.raise_cell_error(f"the kernel takes {cost.megabytes:.0f} MB, more than {refresh.MEGABYTES}")
    if cost.seconds > SLOWER * refresh.SECONDS:
        most = f"{SLOWER * refresh.SECONDS}, {SLOWER} times what a page may take where it is written"
        item.raise_cell_error(f"the kernel has used {cost.seconds:.0f} s of one core, more than {most}")


def budget(pid: int) -> SimpleNamespace:
    """What a kernel has used so far: peak memory in MB and processor time in s."""
    times = psutil.Process(pid).cpu_times()
    return SimpleNamespace(megabytes=refresh.peak_megabytes(pid), seconds=times.user + times.system)
