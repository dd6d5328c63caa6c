"""What nbval does not see: pictures, memory and time of the notebooks that it runs.

`pytest --nbval --nbval-current-env notebooks` runs every notebook once and compares texts; the hook below then compares
the same run's pictures with the committed ones, by eye, and stops a notebook that outgrows its budget. Time is the
kernel's processor time, so that a busy machine does not fail the tests.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from types import SimpleNamespace

import psutil
import pytest
import refresh
from committed import ignored, look_alike, pictures, small

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a kernel inherits it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `pytest -n`, the cells of one notebook share one kernel: they stay with one worker (--dist loadgroup)."""
    for item in items:
        if type(item).__name__ == "IPyNbCell":
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """After nbval's own comparison of a cell, compare pictures and budget."""
    yield
    if type(item).__name__ == "IPyNbCell":
        check_cell(item)


def check_cell(item: pytest.Item) -> None:
    """Raise nbval's own error if a picture looks different or the kernel is above its budget."""
    committed, new = pictures(item.cell.outputs), pictures(item.test_outputs)
    if not ignored(item.cell):
        if len(committed) != len(new):
            item.raise_cell_error(f"{len(new)} pictures, {len(committed)} are committed")
        for place, (old, now) in enumerate(zip(committed, new, strict=True)):
            if not look_alike(old, small(now)):
                item.raise_cell_error(f"picture {place + 1} looks different: run `make refresh` and look at the diff")
    cost = budget(item.parent.kernel.km.provisioner.pid)
    if cost.megabytes > refresh.MEGABYTES:
        item.raise_cell_error(f"the kernel takes {cost.megabytes:.0f} MB, more than {refresh.MEGABYTES}")
    if cost.seconds > refresh.SECONDS:
        item.raise_cell_error(f"the kernel has used {cost.seconds:.0f} s of one core, more than {refresh.SECONDS}")


def budget(pid: int) -> SimpleNamespace:
    """What a kernel has used so far: peak memory in MB and processor time in s."""
    times = psutil.Process(pid).cpu_times()
    return SimpleNamespace(megabytes=refresh.peak_megabytes(pid), seconds=times.user + times.system)
