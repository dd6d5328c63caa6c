"""Ctrl-C between two steps of a training, where nothing is half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from eqlib import processes


@contextlib.contextmanager
def between_steps() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C was pressed; a second Ctrl-C raises KeyboardInterrupt at once, as ever.

    An interrupt wherever the program happens to be loses the step, and may be lost itself: Python drops what is raised while an
    object is taken apart, and the first step imports much of torch, some of which catches everything. Not so, and False, in
    other threads than the main one, where SIGINT has a handler of someone else's, and among several processes, which would
    stop after different steps.

    >>> with between_steps() as stop:
    ...     stop()
    False
    """
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler and processes.size() == 1
    ours = ours and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
