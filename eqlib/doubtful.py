"""Files that may hold anything: what a reader trips over is told with the file's name, and a file that changes is found out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

#: Bytes that any archive may hold unpacked, and beside them so many times its own size: more is a bomb, and no data.
SMALL, LARGEST_RATIO = 1 << 25, 10


@contextlib.contextmanager
def named(path: Path | str, expected: str, got: str = "a damaged file or another one") -> Iterator[None]:
    """What is raised within as a ValueError that names the file; one that does so already, and what is none of its, as it is.

    A damaged file can make a parser trip anywhere, over any exception; but want of memory, and a file that is not there or must
    not be read, are not the content's fault.

    >>> with named("some.json", "a log"):
    ...     {}["runs"]
    Traceback (most recent call last):
    ...
    ValueError: some.json: got a damaged file or another one (KeyError: 'runs'), expected a log
    """
    try:
        yield
    except (MemoryError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        if type(error) is ValueError and str(path) in str(error):
            raise
        raise ValueError(f"{path}: got {got} ({type(error).__name__}: {error}), expected {expected}") from error


def dies(script: str, path: Path | str, seconds: float = 60) -> bool:
    """Whether a process of its own dies, or never ends, of this script with the file's name as its argument.

    For files that a library in C reads: what crashes it there ends no session here. An exception in the script is no death.

    >>> dies("import os; os.abort()", "some.h5"), dies("open(some)", "some.h5")
    (True, False)
    """
    command = [sys.executable, "-P", "-c", script, str(path)]  # -P: no module of the folder that the reader works in
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode not in (0, 1)


def most_unpacked(path: Path | str) -> int:
    """How many bytes an archive may hold, to be asked before they are taken."""
    return SMALL + LARGEST_RATIO * Path(path).stat().st_size


def stamp(path: Path | str) -> tuple[int, int]:
    """What shows that a file has changed: its size, and when it was written."""
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns


def unchanged(path: Path | str, before: tuple[int, int]) -> None:
    """ValueError unless the file has the stamp of before; to be asked after a read, whose content may be of both files."""
    if (now := stamp(path)) != before:
        raise ValueError(
            f"{path}: got another file than before, {now[0]} bytes instead of {before[0]} or written anew while it was in use, "
            "expected one that does not change: open it again"
        )
