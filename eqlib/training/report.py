"""How far a run is: a bar where somebody watches, a line now and then where a file does."""

from __future__ import annotations

import sys
import time

from tqdm.auto import tqdm

from eqlib.training.state import History

PAUSE = 30.0  # seconds, at least, from one plain line to the next
WIDGET = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)


class Report:
    """On a terminal a bar on stderr, in a notebook a widget, elsewhere plain lines on stderr; each with the time left.

    epochs, steps: of the run, and of an epoch. done: steps at the start. show: whether there is anything to see at all.
    """

    def __init__(self, epochs: int, steps: int, done: int, show: bool) -> None:
        bar = show and (WIDGET or sys.stderr.isatty())
        self.bar = tqdm(total=epochs * steps, initial=done, desc="training", disable=not bar)
        self.lines, self.epochs, self.steps = show and not bar, epochs, steps
        self.first = self.now = done
        self.start = self.last = time.monotonic()
        self.found: dict[str, str] = {}
        if self.lines and 0 < done < epochs * steps:
            print(f"training: going on from epoch {done // steps + 1} of {epochs}", file=sys.stderr, flush=True)

    def __enter__(self) -> Report:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self.bar.close()
        if self.lines and error is None:
            self._line()

    def step(self) -> None:
        self.now += 1
        self.bar.update()
        if self.lines and time.monotonic() - self.last >= PAUSE:
            self._line()

    def epoch(self, history: History) -> None:
        self.found = {k: f"{v[-1]:.4g}" for k, v in (("loss", history.loss), ("valid", history.valid)) if v}
        self.bar.set_postfix(self.found)

    def _line(self) -> None:
        self.last, total = time.monotonic(), self.epochs * self.steps
        left = (self.last - self.start) / max(1, self.now - self.first) * (total - self.now)
        at = min(self.now // self.steps + 1, self.epochs)
        words = [f"epoch {at} of {self.epochs}", *(f"{k}={v}" for k, v in self.found.items())]
        words.append(f"{tqdm.format_interval(left)} left")
        print(f"training: {100 * self.now // total}%, {', '.join(words)}", file=sys.stderr, flush=True)
