"""Ctrl-C between two steps of a training, where nothing is half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from eqlib import processes


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which a scheduler ends a job, taken for Ctrl-C: see `terminable`."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


#: Signals that may wait for the end of a step, with the handlers that say that they are nobody else's; what these raise.
HANDLERS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _terminate}
RAISED = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Meanwhile SIGTERM raises `Terminated`, unless somebody has taken it; in other threads than the main one all is as ever.

    For programs that end by it. A kernel of Jupyter ends by SIGTERM, and would only end the cell.
    """
    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def between_steps() -> Iterator[Callable[[], type[KeyboardInterrupt] | None]]:
    """Gives a function that says what Ctrl-C, if pressed, is to raise; a second Ctrl-C raises it at once, as ever.

    An interrupt wherever the program happens to be loses the step, and may be lost itself: Python drops what is raised while an
    object is taken apart, and the first step imports much of torch, some of which catches everything. Not so, and None, in
    other threads than the main one, where SIGINT has a handler of someone else's, and among several processes, which would
    stop after different steps. SIGTERM likewise, where it is `terminable`.

    >>> with between_steps() as stop:
    ...     stop()
    """
    asked: type[KeyboardInterrupt] | None = None

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked is not None:
            HANDLERS[signal.Signals(number)](number, frame)
        asked = RAISED[signal.Signals(number)]

    ours = threading.current_thread() is threading.main_thread() and processes.size() == 1
    taken = {k: v for k, v in HANDLERS.items() if ours and signal.getsignal(k) is v}
    for number in taken:
        signal.signal(number, note)
    try:
        yield lambda: asked
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)
